import { assert, describe, it } from "@effect/vitest"
import { createHash } from "node:crypto"
import * as PageDigest from "../../../src/format/store/PageDigest.ts"

describe("PageDigest", () => {
  const key = new Uint8Array(32).fill(5)

  it("is the start of SHA-256 over key block and page", () => {
    const block = PageDigest.keyBlock(key, 4096)
    assert.strictEqual(block.length, 64)
    const pages = new Uint8Array(2 * 4096).fill(1, 4096)
    const expected = [pages.subarray(0, 4096), pages.subarray(4096)].map((page) =>
      createHash("sha256")
        .update(Buffer.concat([block, page]))
        .digest("hex")
        .slice(0, 32)
    )
    assert.strictEqual(Buffer.from(PageDigest.ofPages(block, pages, 4096)).toString("hex"), expected.join(""))
  })

  it("differs by key and by the size of pages", () => {
    const blocks = [PageDigest.keyBlock(key, 4096), PageDigest.keyBlock(key, 16384), PageDigest.keyBlock(block0, 4096)]
    assert.strictEqual(new Set(blocks.map((block) => Buffer.from(block).toString("hex"))).size, 3)
  })

  const block0 = new Uint8Array(32)
})
