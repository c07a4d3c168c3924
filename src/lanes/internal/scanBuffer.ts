import { Buffer } from "node:buffer"
import * as PageRuns from "../../ram/PageRuns.ts"
import * as ZeroPages from "../../ram/ZeroPages.ts"
import { zeroScan } from "./zeroScan.ts"

/**
 * Memory of a lane for consecutive pieces of a job, in which zero pages are separated.
 *
 * @internal
 */
export interface ScanBuffer {
  /** The first `length` bytes. A larger length than before may move them. */
  readonly bytes: (length: number) => Uint8Array
  /** The pages among `pages` that are not zero, in the bytes from the start. */
  readonly normal: (pageSize: number, pages: PageRuns.PageRuns) => PageRuns.PageRuns
}

const WASM_PAGE = 64 * 1024

/** The part of the engine's interface that Node's types lack. */
interface Engine {
  readonly validate: (bytes: Uint8Array<ArrayBuffer>) => boolean
  readonly Module: new (bytes: Uint8Array<ArrayBuffer>) => object
  readonly Memory: new (options: { readonly initial: number }) => Memory
  readonly Instance: new (
    module: object,
    imports: { readonly lane: { readonly memory: Memory } }
  ) => { readonly exports: { readonly scan: Scan } }
}

interface Memory {
  readonly buffer: ArrayBuffer
  readonly grow: (pages: number) => number
}

const { WebAssembly: engine } = globalThis as unknown as { readonly WebAssembly: Engine }

type Scan = (at: number, pageSize: number, count: number, answer: number) => void

/** Examines 64 bytes at a time, if the engine has such instructions. */
class SimdBuffer implements ScanBuffer {
  readonly #memory: Memory
  readonly #scan: Scan
  #all: Uint8Array
  #length = 0

  constructor(module: object) {
    this.#memory = new engine.Memory({ initial: 1 })
    this.#scan = new engine.Instance(module, { lane: { memory: this.#memory } }).exports.scan
    this.#all = new Uint8Array(this.#memory.buffer)
  }

  /** One byte per page of at least 1 KiB follows the pages. */
  bytes(length: number): Uint8Array {
    this.#length = length
    const missing = length + length / 1024 - this.#all.length
    if (missing > 0) {
      this.#memory.grow(Math.ceil(missing / WASM_PAGE))
      this.#all = new Uint8Array(this.#memory.buffer)
    }
    return this.#all.subarray(0, length)
  }

  normal(pageSize: number, pages: PageRuns.PageRuns): PageRuns.PageRuns {
    const runs: Array<number> = []
    PageRuns.forEach(pages, (first, count) => {
      this.#scan(first * pageSize, pageSize, count, this.#length)
      collect(this.#all, this.#length, count, first, runs)
    })
    return runs
  }
}

/** Makes runs from one byte per page; the earlier runs end before a gap. */
const collect = (flags: Uint8Array, at: number, count: number, first: number, runs: Array<number>): void => {
  let page = 0
  while (page < count) {
    while (page < count && flags[at + page] === 0) page++
    const from = page
    while (page < count && flags[at + page] !== 0) page++
    if (page > from) runs.push(first + from, page - from)
  }
}

/** For engines without these instructions. */
class PlainBuffer implements ScanBuffer {
  #all: Uint8Array = new Uint8Array(0)

  bytes(length: number): Uint8Array {
    if (this.#all.length < length) this.#all = Buffer.alloc(length)
    return this.#all.subarray(0, length)
  }

  normal(pageSize: number, pages: PageRuns.PageRuns): PageRuns.PageRuns {
    return ZeroPages.split(this.#all, pageSize, pages).normal
  }
}

/** @internal */
export const plain = (): ScanBuffer => new PlainBuffer()

/** @internal */
export const simd = (): ScanBuffer => new SimdBuffer(new engine.Module(zeroScan))

/**
 * The fastest implementation available.
 *
 * @internal
 */
export const make = (): ScanBuffer => (engine.validate(zeroScan) ? simd() : plain())
