import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { inspect } from "node:util"
import { runInNewContext } from "node:vm"
import * as MemoryPages from "../../src/ram/MemoryPages.ts"
import type { RamBlock } from "../../src/ram/RamBlock.ts"
import * as RamArbitraries from "../../src/testing/RamArbitraries.ts"

const KIB = 1024
const MIB = 1024 * KIB

/** What the tests use of WebAssembly, whose types come with the DOM's only. */
declare const WebAssembly: {
  readonly Memory: new (pages: { readonly initial: number; readonly maximum: number; readonly shared: boolean }) => {
    readonly buffer: ArrayBuffer | SharedArrayBuffer
    readonly grow: (pages: number) => number
  }
}

/** A `WebAssembly.Memory`, as far as a block can tell; growing it takes the bytes to a new buffer. */
class Growable implements MemoryPages.GrowableMemory {
  buffer: ArrayBuffer
  constructor(length: number) {
    this.buffer = new ArrayBuffer(length)
  }
  grow(length: number): void {
    this.buffer = this.buffer.transfer(length)
  }
}

const kinds: Record<string, (length: number) => MemoryPages.Memory> = {
  Uint8Array: (length) => new Uint8Array(length),
  "part of a Uint8Array": (length) => new Uint8Array(length + 300).subarray(100, length + 100),
  Buffer: (length) => Buffer.alloc(length),
  ArrayBuffer: (length) => new ArrayBuffer(length),
  "resizable ArrayBuffer": (length) => new ArrayBuffer(length, { maxByteLength: length + 5000 }),
  SharedArrayBuffer: (length) => new SharedArrayBuffer(length),
  "growable SharedArrayBuffer": (length) => new SharedArrayBuffer(length, { maxByteLength: length + 5000 }),
  "memory that can move": (length) => new Growable(length)
}

const bytesOf = ({ reader, usedLength }: RamBlock): Uint8Array => reader.view!(0, usedLength)

describe("MemoryPages", () => {
  for (const [name, allocate] of Object.entries(kinds)) {
    it.effect.prop(`reads what was written: ${name}`, { block: RamArbitraries.block() }, ({ block }) =>
      Effect.gen(function* () {
        const content = RamArbitraries.contents(block)
        const { pageSize } = block
        const ram = yield* MemoryPages.make({ idstr: block.idstr, pageSize, memory: allocate(content.length) })
        assert.strictEqual(ram.usedLength, content.length)
        yield* ram.writer.write(0, content)
        const last = content.length - pageSize
        const page = new Uint8Array(pageSize)
        yield* ram.reader.readInto(last, page)
        assert.deepStrictEqual(page, content.slice(last))
        yield* ram.writer.zero(0, pageSize)
        assert.isTrue(
          bytesOf(ram)
            .subarray(0, pageSize)
            .every((byte) => byte === 0)
        )
        assert.isTrue(Buffer.from(content.buffer, pageSize).equals(bytesOf(ram).subarray(pageSize)))
      })
    )
  }

  it.effect("copies nothing: views are the memory itself", () =>
    Effect.gen(function* () {
      const memory = new Uint8Array(20 * KIB).subarray(4 * KIB)
      const { reader, writer } = yield* MemoryPages.make({ idstr: "a", memory })
      writer.view!(8 * KIB, 4 * KIB)[0] = 5
      assert.strictEqual(memory[8 * KIB], 5)
      assert.strictEqual(reader.view!(8 * KIB, 1)[0], 5)
      assert.strictEqual(reader.view!(0, 1).buffer, memory.buffer)
    })
  )

  it.effect("memory that grows keeps its block", () =>
    Effect.gen(function* () {
      const memory = new Growable(8 * KIB)
      const block = yield* MemoryPages.make({ idstr: "a", memory })
      yield* block.writer.write(4 * KIB, new Uint8Array([1, 2, 3]))
      const before = block.reader.view!(4 * KIB, 4 * KIB)
      memory.grow(64 * KIB)
      assert.strictEqual(before.length, 0)
      assert.deepStrictEqual([...block.reader.view!(4 * KIB, 3)], [1, 2, 3])
      assert.strictEqual(block.usedLength, 8 * KIB)
      const resizable = new ArrayBuffer(8 * KIB, { maxByteLength: MIB })
      const other = yield* MemoryPages.make({ idstr: "b", memory: resizable })
      resizable.resize(MIB)
      assert.strictEqual(other.reader.view!(0, other.usedLength).length, 8 * KIB)
    })
  )

  for (const shared of [false, true]) {
    it.effect(`${shared ? "shared " : ""}WebAssembly memory keeps its block, too`, () =>
      Effect.gen(function* () {
        const memory = new WebAssembly.Memory({ initial: 2, maximum: 8, shared })
        const block = yield* MemoryPages.make({ idstr: "a", memory })
        assert.strictEqual(block.usedLength, 128 * KIB)
        yield* block.writer.write(124 * KIB, new Uint8Array([1, 2, 3]))
        memory.grow(4)
        assert.deepStrictEqual([...block.reader.view!(124 * KIB, 3)], [1, 2, 3])
        block.writer.view!(0, 1)[0] = 9
        assert.strictEqual(new Uint8Array(memory.buffer)[0], 9)
      })
    )
  }

  /** How v86 shows guest RAM: whatever it is asked for it takes from a new array over the memory of WebAssembly. */
  const mem8 = (memory: MemoryPages.GrowableMemory, byteOffset: number, length: number): Uint8Array =>
    new Proxy(
      {},
      {
        get: (_, property) => {
          const bytes = new Uint8Array(memory.buffer, byteOffset, length)
          const value: unknown = Reflect.get(bytes, property)
          return typeof value === "function" ? value.bind(bytes) : value
        }
      }
    ) as Uint8Array

  const proxies: Record<string, () => unknown> = {
    "v86's mem8": () => mem8(new WebAssembly.Memory({ initial: 1, maximum: 1, shared: false }), 8 * KIB, 16 * KIB),
    "a Proxy of a Uint8Array": () => new Proxy(new Uint8Array(8 * KIB), {}),
    "a Proxy of an ArrayBuffer": () => new Proxy(new ArrayBuffer(8 * KIB), {}),
    "a Proxy of memory that can move": () => new Proxy(new Growable(8 * KIB), {})
  }

  for (const [name, allocate] of Object.entries(proxies)) {
    it.effect(`refuses ${name} by name`, () =>
      Effect.gen(function* () {
        const error = yield* Effect.flip(MemoryPages.make({ idstr: "a", memory: allocate() as Uint8Array }))
        assert.strictEqual(error.property, "memory")
        assert.strictEqual(error.found, "a Proxy")
        assert.include(error.expected, "the memory itself")
      })
    )
  }

  class Hostile {
    get buffer(): never {
      throw new Error("not here")
    }
  }

  const others: Record<string, [unknown, string]> = {
    undefined: [undefined, "undefined"],
    null: [null, "null"],
    "a number": [4096, "a number"],
    "a string": ["x".repeat(4096), "a string"],
    "an array": [Array.from({ length: 4096 }, () => 0), "an Array"],
    "an object": [{}, "an Object"],
    "an object without a prototype": [Object.create(null), "an object"],
    "an object whose buffer is none": [{ buffer: new Uint8Array(4096) }, "an Object whose buffer is a Uint8Array"],
    "an object whose buffer is a Proxy": [
      { buffer: new Proxy(new ArrayBuffer(4096), {}) },
      "an Object whose buffer is a Proxy"
    ],
    "an object whose buffer throws": [new Hostile(), "a Hostile whose buffer cannot be read: Error: not here"],
    "a function": [() => 1, "a function"]
  }

  for (const [name, [memory, found]] of Object.entries(others)) {
    it.effect(`refuses what is no memory: ${name}`, () =>
      Effect.gen(function* () {
        const error = yield* Effect.flip(MemoryPages.make({ idstr: "a", memory: memory as Uint8Array }))
        assert.strictEqual(error.property, "memory")
        assert.strictEqual(error.found, found)
      })
    )
  }

  it.effect("refuses memory that is gone", () =>
    Effect.gen(function* () {
      const bytes = new Uint8Array(8 * KIB)
      bytes.buffer.transfer()
      for (const memory of [bytes, bytes.buffer, { buffer: bytes.buffer }]) {
        const error = yield* Effect.flip(MemoryPages.make({ idstr: "a", memory }))
        assert.deepStrictEqual([error.property, error.found], ["memory", "a buffer that is detached"])
      }
    })
  )

  it.effect("takes memory of another realm", () =>
    Effect.gen(function* () {
      const memory: Uint8Array = runInNewContext("new Uint8Array(8192)")
      const { usedLength } = yield* MemoryPages.make({ idstr: "a", memory })
      assert.strictEqual(usedLength, 8192)
      const wasm: MemoryPages.GrowableMemory = runInNewContext("({ buffer: new ArrayBuffer(8192) })")
      assert.strictEqual((yield* MemoryPages.make({ idstr: "a", memory: wasm })).usedLength, 8192)
    })
  )

  for (const [name, allocate] of Object.entries(kinds)) {
    it.effect(`a range of it is a block: ${name}`, () =>
      Effect.gen(function* () {
        const memory = allocate(20 * KIB)
        const whole = yield* MemoryPages.make({ idstr: "whole", memory })
        const middle = yield* MemoryPages.make({ idstr: "a", memory, byteOffset: 4 * KIB, byteLength: 8 * KIB })
        assert.strictEqual(middle.usedLength, 8 * KIB)
        yield* middle.writer.write(4 * KIB, new Uint8Array([1, 2, 3]))
        assert.deepStrictEqual([...whole.reader.view!(8 * KIB, 3)], [1, 2, 3])
        const rest = yield* MemoryPages.make({ idstr: "b", memory, byteOffset: 8 * KIB })
        assert.strictEqual(rest.usedLength, 12 * KIB)
        assert.deepStrictEqual([...rest.reader.view!(0, 3)], [1, 2, 3])
        const start = yield* MemoryPages.make({ idstr: "c", memory, byteLength: 4 * KIB })
        yield* start.writer.zero(0, 4 * KIB)
        assert.deepStrictEqual([...whole.reader.view!(8 * KIB, 3)], [1, 2, 3])
      })
    )
  }

  for (const shared of [false, true]) {
    it.effect(`a range of ${shared ? "shared " : ""}WebAssembly memory survives growth`, () =>
      Effect.gen(function* () {
        const memory = new WebAssembly.Memory({ initial: 2, maximum: 8, shared })
        const range = { byteOffset: 1024, byteLength: 128 * KIB - 4096 }
        const block = yield* MemoryPages.make({ idstr: "a", memory, ...range })
        memory.grow(4)
        yield* block.writer.write(block.usedLength - 3, new Uint8Array([1, 2, 3]))
        const end = range.byteOffset + range.byteLength
        assert.deepStrictEqual([...new Uint8Array(memory.buffer).subarray(end - 3, end + 1)], [1, 2, 3, 0])
        assert.deepStrictEqual([...block.reader.view!(block.usedLength - 3, 3)], [1, 2, 3])
      })
    )
  }

  const ranges: ReadonlyArray<readonly [object, "byteOffset" | "byteLength" | "usedLength", string]> = [
    [{ byteOffset: -4096 }, "byteOffset", "-4096"],
    [{ byteOffset: 1.5 }, "byteOffset", "1.5"],
    [{ byteOffset: Number.NaN }, "byteOffset", "NaN"],
    [{ byteOffset: "4096" }, "byteOffset", "4096"],
    [{ byteOffset: 4096n }, "byteOffset", "4096"],
    [{ byteOffset: null }, "byteOffset", "null"],
    [{ byteOffset: 16384 + 4096 }, "byteOffset", "20480"],
    [{ byteOffset: 16384 }, "usedLength", "0 bytes"],
    [{ byteLength: -4096 }, "byteLength", "-4096"],
    [{ byteLength: null }, "byteLength", "null"],
    [{ byteLength: 16384 + 4096 }, "byteLength", "20480"],
    [{ byteOffset: 8192, byteLength: 8192 + 4096 }, "byteLength", "12288"],
    [{ byteLength: 0 }, "usedLength", "0 bytes"],
    [{ byteLength: 1000 }, "usedLength", "1000 bytes"]
  ]

  for (const [range, property, found] of ranges) {
    it.effect(`refuses a range that is none: ${inspect(range)}`, () =>
      Effect.gen(function* () {
        const memory = new Uint8Array(32768).subarray(0, 16384)
        const error = yield* Effect.flip(MemoryPages.make({ idstr: "a", memory, ...range }))
        assert.deepStrictEqual([error.property, error.found], [property, found])
      })
    )
  }

  it.effect("memory that is gone is a defect", () =>
    Effect.gen(function* () {
      const memory = new Uint8Array(8 * KIB)
      const { reader } = yield* MemoryPages.make({ idstr: "a", memory })
      memory.buffer.transfer()
      const exit = yield* Effect.exit(reader.readInto(0, new Uint8Array(KIB)))
      assert.isTrue(Exit.hasDies(exit))
    })
  )

  it.effect("zeroing touches its range only, and yields in between", () =>
    Effect.gen(function* () {
      const memory = new Uint8Array(20 * MIB).fill(1)
      const { writer } = yield* MemoryPages.make({ idstr: "a", memory })
      let turns = 0
      const count = (): NodeJS.Immediate => setImmediate(() => (turns++, (next = count())))
      let next = count()
      yield* writer.zero(4096, 20 * MIB - 8192)
      clearImmediate(next)
      assert.isAtLeast(turns, 4)
      assert.isTrue(memory.subarray(0, 4096).every((byte) => byte === 1))
      assert.isTrue(memory.subarray(20 * MIB - 4096).every((byte) => byte === 1))
      assert.strictEqual(memory.indexOf(1, 4096), 20 * MIB - 4096)
    })
  )

  it.effect("pages, freshness and durability are as promised", () =>
    Effect.gen(function* () {
      const memory = new Uint8Array(8 * KIB)
      const plain = yield* MemoryPages.make({ idstr: "a", memory })
      assert.strictEqual(plain.pageSize, 4096)
      assert.isFalse(plain.writer.fresh)
      assert.strictEqual(plain.reader.present, undefined)
      yield* plain.writer.sync
      const fresh = yield* MemoryPages.make({ idstr: "a", memory, fresh: true, pageSize: 1024 })
      assert.isTrue(fresh.writer.fresh)
      assert.strictEqual(fresh.pageSize, 1024)
    })
  )

  it.effect("refuses memory that is no block", () =>
    Effect.gen(function* () {
      const odd = yield* Effect.flip(MemoryPages.make({ idstr: "a", memory: new ArrayBuffer(5000) }))
      assert.strictEqual(odd.property, "usedLength")
      assert.strictEqual(odd.found, "5000 bytes")
      const none = yield* Effect.flip(MemoryPages.make({ idstr: "a", memory: new Growable(0) }))
      assert.strictEqual(none.property, "usedLength")
      const unnamed = yield* Effect.flip(MemoryPages.make({ idstr: "", memory: new ArrayBuffer(4096) }))
      assert.strictEqual(unnamed.property, "idstr")
    })
  )
})
