import { Buffer } from "node:buffer"
import { createHash } from "node:crypto"
import type { MapBlock, PackReference, Runs } from "../../format/store/PageMap.ts"
import * as PageDigest from "../../format/store/PageDigest.ts"
import * as PageBitmap from "../../ram/PageBitmap.ts"
import * as PageRuns from "../../ram/PageRuns.ts"
import type { Shape } from "../../ram/RamBlock.ts"
import * as RamBlock from "../../ram/RamBlock.ts"

/**
 * The location of each page of a block, and its digest: 24 bytes per page. A page that is known from a base is not part
 * of the snapshot until it has arrived and proved equal.
 *
 * @internal
 */
export class PageTable {
  readonly shape: Shape
  /** Pages that are not zero. */
  readonly present: PageBitmap.PageBitmap
  readonly #digests: Uint8Array
  /** Index in the table of packs, -1: the page is not stored. */
  readonly #packs: Int32Array
  readonly #pages: Uint32Array

  constructor(shape: Shape) {
    const count = RamBlock.pageCount(shape)
    this.shape = shape
    this.present = PageBitmap.make(count)
    this.#digests = new Uint8Array(count * PageDigest.BYTES)
    this.#packs = new Int32Array(count).fill(-1)
    this.#pages = new Uint32Array(count)
  }

  /** `true` if the page is stored with this digest. */
  holds(page: number, digest: Uint8Array): boolean {
    if (this.#packs[page] === -1) return false
    const at = page * PageDigest.BYTES
    for (let index = 0; index < PageDigest.BYTES; index++) {
      if (this.#digests[at + index] !== digest[index]) return false
    }
    return true
  }

  packOf(page: number): number {
    return this.#packs[page] ?? -1
  }

  set(page: number, digest: Uint8Array, pack: number, pageInPack: number): void {
    this.#digests.set(digest, page * PageDigest.BYTES)
    this.#packs[page] = pack
    this.#pages[page] = pageInPack
  }

  /** Calls `f` with the pack of every page that is not zero. */
  forEachPack(f: (pack: number) => void): void {
    PageRuns.forEach(this.present.runs(0, this.present.pages), (first, count) => {
      for (let page = first; page < first + count; page++) f(this.packOf(page))
    })
  }

  /** Adds the present pages and their positions to a digest of the memory. */
  describe(hash: ReturnType<typeof createHash>): void {
    const { idstr, usedLength } = this.shape
    hash.update(`${idstr}\0${usedLength}\0`)
    PageRuns.forEach(this.present.runs(0, this.present.pages), (first, count) => {
      hash.update(`${first} ${count}\0`)
      hash.update(this.#digests.subarray(first * PageDigest.BYTES, (first + count) * PageDigest.BYTES))
    })
  }

  /** The block as in a map; `starts` are the numbers of the first pages of the packs. */
  toMapBlock(starts: Float64Array): MapBlock {
    const lengths: Array<number> = []
    const pages: Array<number> = []
    let [length, first] = [0, -1]
    const flush = () => {
      if (length > 0) {
        lengths.push(length)
        pages.push(first)
      }
    }
    for (let page = 0; page < this.present.pages; page++) {
      const number = this.present.has(page) ? (starts[this.packOf(page)] ?? 0) + (this.#pages[page] ?? 0) : -1
      const continues = length > 0 && (first === -1 ? number === -1 : number === first + length)
      if (continues) {
        length++
        continue
      }
      flush()
      length = 1
      first = number
    }
    flush()
    const runs: Runs = { lengths: Float64Array.from(lengths), pages: Float64Array.from(pages) }
    return { idstr: this.shape.idstr, usedLength: this.shape.usedLength, runs }
  }
}

/** The numbers of the first pages of packs. @internal */
export const pageStarts = (packs: ReadonlyArray<PackReference>): Float64Array => {
  const starts = new Float64Array(packs.length + 1)
  packs.forEach(({ pages }, index) => void (starts[index + 1] = (starts[index] ?? 0) + pages))
  return starts
}

/** SHA-256 of the digests and positions of all pages: equal for equal memory. @internal */
export const memoryDigest = (tables: Iterable<PageTable>): string => {
  const hash = createHash("sha256")
  for (const table of tables) table.describe(hash)
  return Buffer.from(hash.digest()).toString("hex")
}
