import { assert, describe, it } from "@effect/vitest"
import * as Result from "effect/Result"
import * as StoreConfig from "../../../src/format/store/StoreConfig.ts"

const plain: StoreConfig.StoreConfig = {
  format: 1,
  repository: "01arz3ndektsv4rrffq69g5fav",
  frameBytes: 65536,
  digest: "sha256-prefix-128",
  digestKey: "ab".repeat(32),
  compression: "zstd",
  encryption: null,
  features: []
}
const encrypted: StoreConfig.StoreConfig = { ...plain, encryption: "aes-256-gcm", digestKey: null }
const key = new Uint8Array(32).fill(3)

const codeOf = (bytes: Uint8Array): string | undefined => {
  const decoded = StoreConfig.decode(bytes)
  return Result.isFailure(decoded) ? decoded.failure.code : undefined
}
const text = (value: unknown): Uint8Array => new Uint8Array(Buffer.from(JSON.stringify(value)))

describe("StoreConfig", () => {
  it("comes back as it was written, and is canonical JSON", () => {
    const bytes = StoreConfig.encode(plain)
    assert.deepStrictEqual(StoreConfig.decode(bytes), Result.succeed({ ...plain, keyCheck: null }))
    assert.isTrue(Buffer.from(bytes).toString().startsWith('{"compression":"zstd","digest":'))
    assert.strictEqual(codeOf(text({ ...plain, keyCheck: null })), "store-config-corrupt")
  })

  it("an encrypted store's is authentic with its key alone", () => {
    const config = Result.getOrThrow(StoreConfig.decode(StoreConfig.encode(encrypted, key)))
    assert.isTrue(StoreConfig.isAuthentic(config, key))
    assert.isFalse(StoreConfig.isAuthentic(config, new Uint8Array(32)))
    assert.isFalse(StoreConfig.isAuthentic({ ...config, frameBytes: 4096 }, key))
  })

  it("encryption cannot be switched off unnoticed", () => {
    const off = Result.getOrThrow(StoreConfig.decode(StoreConfig.encode(plain)))
    assert.isFalse(StoreConfig.isAuthentic(off, key))
    assert.strictEqual(codeOf(StoreConfig.encode(encrypted)), "store-config-corrupt")
    assert.strictEqual(codeOf(StoreConfig.encode(plain, key)), "store-config-corrupt")
  })

  it("no bit of an encrypted store's flips unnoticed", () => {
    const bytes = StoreConfig.encode(encrypted, key)
    for (let bit = 0; bit < bytes.length * 8; bit++) {
      const flipped = bytes.slice()
      flipped[bit >> 3] = (flipped[bit >> 3] ?? 0) ^ (1 << (bit & 7))
      const decoded = StoreConfig.decode(flipped)
      if (Result.isSuccess(decoded)) assert.isFalse(StoreConfig.isAuthentic(decoded.success, key), `bit ${bit}`)
    }
  })

  it("a newer format and features are told from damage", () => {
    const later = Buffer.from(Buffer.from(StoreConfig.encode(plain)).toString().replace('"format":1', '"format":2'))
    assert.strictEqual(codeOf(new Uint8Array(later)), "store-version-unsupported")
    const required = { ...plain, features: [{ name: "deltas", required: true }] }
    assert.strictEqual(codeOf(StoreConfig.encode(required)), "store-feature-unsupported")
    const optional = { ...plain, features: [{ name: "hints", required: false }] }
    const decoded = Result.getOrThrow(StoreConfig.decode(StoreConfig.encode(optional)))
    assert.deepStrictEqual(StoreConfig.unknownFeatures(decoded), ["hints"])
  })

  it("whatever is no configuration is a finding", () => {
    for (const bytes of [new Uint8Array(0), text(1), text({}), new Uint8Array(StoreConfig.MAX_BYTES + 1)]) {
      assert.strictEqual(codeOf(bytes), "store-config-corrupt")
    }
  })
})
