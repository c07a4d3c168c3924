import { assert, describe, it } from "@effect/vitest"
import * as Arbitrary from "effect/Arbitrary"
import * as Result from "effect/Result"
import { zstdCompressSync, zstdDecompressSync } from "node:zlib"
import * as PageMap from "../../../src/format/store/PageMap.ts"
import * as StoreId from "../../../src/format/store/StoreId.ts"
import { between } from "../../support/arbitraries.ts"
import { bytes, concat, mutate, mutation } from "../../support/bytes.ts"

const pageSize = 4096
const ids = [1, 2, 3].map((fill) => StoreId.make(1_796_000_000_000, new Uint8Array(10).fill(fill)))
const [snapshot = "", writer = "", parent = ""] = ids

const packs: ReadonlyArray<PageMap.PackReference> = [0, 1, 2].map((number) => ({
  snapshot: number === 0 ? parent : snapshot,
  writer,
  number,
  frames: 40,
  pages: 600,
  trailerPosition: 2 ** 33 + number,
  trailerBytes: 10_084,
  salt: new Uint8Array(16).fill(number),
  footerDigest: new Uint8Array(32).fill(number)
}))

const run = Arbitrary.all({ isStored: between(0, 1), length: between(1, 300), page: between(0, 1500) })
const blockOf = (
  idstr: string,
  runs: ReadonlyArray<{ readonly isStored: number; readonly length: number; readonly page: number }>
): PageMap.MapBlock => ({
  idstr,
  usedLength: runs.reduce((sum, { length }) => sum + length, 0) * pageSize,
  runs: {
    lengths: Float64Array.from(runs, ({ length }) => length),
    pages: Float64Array.from(runs, ({ isStored, page }) => (isStored === 1 ? page : -1))
  }
})
const runs = Arbitrary.array(run, { maxLength: 30 })
const mapOf = (blocks: ReadonlyArray<PageMap.MapBlock>, more: Partial<PageMap.PageMap> = {}): PageMap.PageMap => ({
  pageSize,
  snapshot,
  writer,
  number: 2,
  parent,
  device: new Uint8Array([1, 2, 3]),
  packs,
  blocks,
  ...more
})
const block = blockOf("pc.ram", [
  { isStored: 1, length: 5, page: 700 },
  { isStored: 0, length: 1000, page: 0 },
  { isStored: 1, length: 5, page: 0 }
])
const codeOf = (encoded: Uint8Array): string | undefined => {
  const decoded = PageMap.decode(encoded)
  return Result.isFailure(decoded) ? decoded.failure.code : undefined
}

describe("PageMap", () => {
  it.prop("comes back as it was written", { a: runs, b: runs, device: bytes(100) }, ({ a, b, device }) => {
    const map = mapOf([blockOf("pc.ram", a), blockOf("/rom@etc/acpi/tables", b)], { device })
    assert.deepStrictEqual(PageMap.decode(PageMap.encode(map)), Result.succeed(map))
  })

  it("has no parent where there is none, and may be without packs and blocks", () => {
    const map = mapOf([], { parent: undefined, packs: [] })
    assert.deepStrictEqual(PageMap.decode(PageMap.encode(map)), Result.succeed(map))
  })

  it("a guest whose pages lie in order takes a few bytes a run", () => {
    const many = Array.from({ length: 1000 }, (_, at) => ({ isStored: at % 2, length: 1, page: at >> 1 }))
    assert.isBelow(PageMap.encode(mapOf([blockOf("pc.ram", many)], { packs })).length, 500)
  })

  it.prop("changed bytes are a map or a finding", { changes: mutation }, ({ changes }) => {
    const plain = new Uint8Array(zstdDecompressSync(PageMap.encode(mapOf([block]))))
    const decoded = PageMap.decode(zstdCompressSync(mutate(plain, changes)))
    if (Result.isSuccess(decoded)) assert.strictEqual(decoded.success.blocks.length, 1)
    else assert.include(["store-map-corrupt", "store-version-unsupported"], decoded.failure.code)
  })

  it("one that is cut anywhere, or longer, is a finding", () => {
    const plain = new Uint8Array(zstdDecompressSync(PageMap.encode(mapOf([block]))))
    for (let length = 0; length < plain.length; length++) {
      assert.strictEqual(codeOf(zstdCompressSync(plain.subarray(0, length))), "store-map-corrupt", `${length} bytes`)
    }
    assert.strictEqual(codeOf(zstdCompressSync(concat(plain, new Uint8Array(1)))), "store-map-corrupt")
    assert.strictEqual(codeOf(new Uint8Array(10)), "store-map-corrupt")
  })

  it("runs that do not fit their block or the packs are findings", () => {
    const stored = (page: number, length: number) => blockOf("b", [{ isStored: 1, page, length }])
    assert.isUndefined(codeOf(PageMap.encode(mapOf([stored(1799, 1)]))))
    assert.strictEqual(codeOf(PageMap.encode(mapOf([stored(1799, 2)]))), "store-map-corrupt")
    assert.strictEqual(codeOf(PageMap.encode(mapOf([stored(0, 0)]))), "store-map-corrupt")
    assert.strictEqual(codeOf(PageMap.encode(mapOf([{ ...block, usedLength: pageSize }]))), "store-map-corrupt")
    assert.strictEqual(codeOf(PageMap.encode(mapOf([{ ...block, usedLength: 1 }]))), "store-map-corrupt")
  })

  it("names are checked, and a name is there once", () => {
    assert.strictEqual(codeOf(PageMap.encode(mapOf([block, block]))), "store-map-corrupt")
    assert.strictEqual(codeOf(PageMap.encode(mapOf([{ ...block, idstr: "" }]))), "store-map-corrupt")
    assert.strictEqual(codeOf(PageMap.encode(mapOf([{ ...block, idstr: "x".repeat(256) }]))), "store-map-corrupt")
  })

  it("a page size that is none, a newer version and numbers of another kind are findings", () => {
    for (const size of [0, 256, 3000, 2 ** 21]) {
      assert.strictEqual(codeOf(PageMap.encode(mapOf([], { pageSize: size }))), "store-map-corrupt", `${size}`)
    }
    const plain = zstdDecompressSync(PageMap.encode(mapOf([])))
    plain[8] = 2
    assert.strictEqual(codeOf(zstdCompressSync(plain)), "store-version-unsupported")
  })

  it("a count that no map of that length has allocates nothing", () => {
    const plain = zstdDecompressSync(PageMap.encode(mapOf([], { packs: [] })))
    for (const at of [72, 79, 83]) {
      const large = Buffer.from(plain)
      large.writeUInt32LE(2 ** 32 - 1, at)
      assert.strictEqual(codeOf(zstdCompressSync(large)), "store-map-corrupt", `at ${at}`)
    }
  })
})
