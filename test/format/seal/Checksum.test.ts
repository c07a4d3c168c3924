import { assert, describe, it } from "@effect/vitest"
import { createHash, createHmac } from "node:crypto"
import * as Checksum from "../../../src/format/seal/Checksum.ts"
import * as PageBitmap from "../../../src/ram/PageBitmap.ts"
import { Extents } from "../../../src/format/seal/SealedExtents.ts"

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex")

const PAGE = 4096

const pages = (...values: ReadonlyArray<number>): Uint8Array => {
  const bytes = new Uint8Array(values.length * PAGE)
  values.forEach((value, page) => bytes.fill(value, page * PAGE, (page + 1) * PAGE))
  return bytes
}

const extentsOf = (idstr: string, present: ReadonlyArray<number>, algorithm: Checksum.Algorithm = "crc32") => {
  const bitmap = PageBitmap.make(10)
  for (const page of present) bitmap.setRange(page, 1)
  return new Extents({ algorithm, idstr, pagesPerExtent: 4, bitmap })
}

describe("checksums", () => {
  it("are those that everybody else computes", () => {
    const bytes = new TextEncoder().encode("123456789")
    const state = Checksum.hasher("crc32")
    state.update(bytes.subarray(0, 4))
    state.update(bytes.subarray(4))
    assert.strictEqual(hex(state.digest()), "cbf43926")
    const target = new Uint8Array(8)
    Checksum.pageInto("crc32", bytes, target, 2)
    assert.strictEqual(hex(target), "0000cbf439260000")

    const sha = Checksum.hasher("sha256")
    sha.update(bytes)
    assert.strictEqual(hex(sha.digest()), createHash("sha256").update(bytes).digest("hex"))
    const page = new Uint8Array(32)
    Checksum.pageInto("hmac-sha256", bytes, page, 0)
    assert.strictEqual(hex(page), createHash("sha256").update(bytes).digest("hex"))
    const keyed = Checksum.hasher("hmac-sha256", bytes)
    keyed.update(page)
    assert.strictEqual(hex(keyed.digest()), createHmac("sha256", bytes).update(page).digest("hex"))
  })

  it("have a code each", () => {
    for (const [algorithm, code] of Object.entries(Checksum.algorithms)) {
      assert.strictEqual(Checksum.fromCode(code), algorithm)
    }
    assert.isUndefined(Checksum.fromCode(0))
  })
})

describe("the digest of an extent", () => {
  it("depends on its pages and on their order, on its block, its place, and on which pages are present", () => {
    const data = pages(1, 2, 3, 4)
    const digests = [
      extentsOf("a", [0, 1, 2]).digestOf(0, data, PAGE),
      extentsOf("a", [0, 1, 2]).digestOf(0, pages(2, 1, 3, 4), PAGE),
      extentsOf("b", [0, 1, 2]).digestOf(0, data, PAGE),
      extentsOf("a", [4, 5, 6]).digestOf(1, data, PAGE),
      extentsOf("a", [0, 1, 3]).digestOf(0, pages(1, 2, 9, 3), PAGE)
    ]
    assert.strictEqual(new Set(digests.map(hex)).size, digests.length)
  })

  it("does not depend on what lies under clear bits, and is zero where all are clear", () => {
    for (const algorithm of ["crc32", "sha256"] as const) {
      const extents = extentsOf("a", [1, 2], algorithm)
      assert.strictEqual(
        hex(extents.digestOf(0, pages(8, 2, 3, 9), PAGE)),
        hex(extents.digestOf(0, pages(0, 2, 3, 0), PAGE))
      )
      assert.deepStrictEqual(
        extents.digestOf(1, pages(1, 2, 3, 4), PAGE),
        new Uint8Array(Checksum.digestLength(algorithm))
      )
    }
  })

  it("of the last extent takes the pages that there are", () => {
    const extents = extentsOf("a", [8, 9])
    assert.strictEqual(extents.count, 3)
    assert.deepStrictEqual(extents.range(2), { first: 8, pages: 2 })
    assert.notStrictEqual(hex(extents.digestOf(2, pages(1, 2), PAGE)), hex(extents.digestOf(2, pages(2, 1), PAGE)))
  })
})
