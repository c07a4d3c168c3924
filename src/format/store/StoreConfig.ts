/**
 * The configuration of a snapshot store: one object of canonical JSON (sorted keys, no spaces), written once.
 *
 * ```text
 *   {"compression":"zstd","digest":"sha256-prefix-128","digestKey":HEX | null,"encryption":null | "aes-256-gcm",
 *    "features":[{"name":…,"required":…}],"format":1,"frameBytes":65536,"keyCheck":HEX | null,"repository":ID}
 *
 *   keyCheck   HMAC-SHA-256 of the whole text without this field, with a key of the repository; null without encryption
 *   digestKey  the 32 bytes from which a store without encryption makes its keys of digests; null with encryption
 * ```
 *
 * An unknown feature prevents writing; an unknown one that is `required` prevents reading.
 *
 * @since 0.1.0
 */
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import { Buffer } from "node:buffer"
import { createHmac, timingSafeEqual } from "node:crypto"
import type * as Finding from "../Finding.ts"
import * as CanonicalJson from "./internal/canonicalJson.ts"
import { found, oneLine } from "./internal/findings.ts"
import * as StoreId from "./StoreId.ts"

/**
 * The version of the format that this library reads and writes.
 *
 * @stability unstable
 * @category constants
 * @since 0.1.0
 */
export const FORMAT = 1

/**
 * Bytes of the longest configuration.
 *
 * @stability unstable
 * @category constants
 * @since 0.1.0
 */
export const MAX_BYTES: number = 16 * 1024

/** The features of this version: none. */
const FEATURES: ReadonlySet<string> = new Set()

const Hex32 = Schema.String.check(Schema.isPattern(/^[0-9a-f]{64}$/))

const Feature = Schema.Struct({
  name: Schema.String.check(Schema.isPattern(/^[a-z0-9-]{1,64}$/)),
  required: Schema.Boolean
})

const Fields = {
  format: Schema.Literal(FORMAT),
  repository: Schema.String.check(Schema.isPattern(StoreId.pattern)),
  /** Bytes of pages in a frame. */
  frameBytes: Schema.Int.check(Schema.isBetween({ minimum: 4096, maximum: 1024 * 1024 })),
  digest: Schema.Literal("sha256-prefix-128"),
  digestKey: Schema.NullOr(Hex32),
  compression: Schema.Literal("zstd"),
  encryption: Schema.NullOr(Schema.Literal("aes-256-gcm")),
  features: Schema.Array(Feature).check(Schema.isMaxLength(64))
}

const Unsealed = Schema.Struct(Fields)
const Sealed = Schema.Struct({ ...Fields, keyCheck: Schema.NullOr(Hex32) })

/**
 * The settings of the whole store.
 *
 * @stability unstable
 * @category models
 * @since 0.1.0
 */
export type StoreConfig = typeof Unsealed.Type

const macOf = (config: StoreConfig, key: Uint8Array): string =>
  createHmac("sha256", key).update(CanonicalJson.toBytes(config)).digest("hex")

/**
 * The bytes of a configuration. An encrypted store needs `key`, its key of configurations.
 *
 * @stability unstable
 * @category encoding
 * @since 0.1.0
 */
export const encode = (config: StoreConfig, key?: Uint8Array | undefined): Uint8Array =>
  CanonicalJson.toBytes({ ...config, keyCheck: key === undefined ? null : macOf(config, key) })

const decodeSchema = Schema.decodeUnknownResult(Sealed)
const decodeFormat = Schema.decodeUnknownResult(Schema.Struct({ format: Schema.Int }))

const corrupt = (expected: string, actual: string) => found("store-config-corrupt", 0, expected, actual)

/**
 * The names of the features that this version does not know.
 *
 * @stability unstable
 * @category getters
 * @since 0.1.0
 */
export const unknownFeatures = ({ features }: StoreConfig): ReadonlyArray<string> =>
  features.flatMap(({ name }) => (FEATURES.has(name) ? [] : [name]))

const checked = (config: typeof Sealed.Type): Result.Result<typeof Sealed.Type, Finding.Finding> => {
  const unknown = config.features.find(({ name, required }) => required && !FEATURES.has(name))
  if (unknown !== undefined) return found("store-feature-unsupported", 0, "known features", unknown.name)
  const isEncrypted = config.encryption !== null
  if (isEncrypted !== (config.digestKey === null) || isEncrypted !== (config.keyCheck !== null)) {
    return corrupt("a digestKey without encryption, a keyCheck with it", isEncrypted ? "encryption" : "no encryption")
  }
  return Result.succeed(config)
}

/**
 * Reads a configuration. Fails with `store-config-corrupt`, `store-version-unsupported` or `store-feature-unsupported`.
 *
 * **Gotchas**
 *
 * The result may be forged until it has passed `isAuthentic`, with the key of the repository.
 *
 * @stability unstable
 * @category decoding
 * @since 0.1.0
 */
export const decode = (
  bytes: Uint8Array
): Result.Result<StoreConfig & { keyCheck: string | null }, Finding.Finding> => {
  if (bytes.length > MAX_BYTES) return corrupt(`at most ${MAX_BYTES} bytes`, `${bytes.length} bytes`)
  const value = CanonicalJson.fromBytes(bytes)
  if (value === undefined) return corrupt("canonical JSON", `${bytes.length} bytes that are not`)
  const version = decodeFormat(value)
  if (Result.isSuccess(version) && version.success.format > FORMAT) {
    return found("store-version-unsupported", 0, `format ${FORMAT}`, `format ${version.success.format}`)
  }
  const decoded = decodeSchema(value, { onExcessProperty: "error" })
  return Result.isSuccess(decoded)
    ? checked(decoded.success)
    : corrupt("the configuration of a store", oneLine(decoded.failure.message))
}

/**
 * Checks a configuration with the key of the repository: `false` for one that was not written with it, including one
 * without encryption.
 *
 * @stability unstable
 * @category predicates
 * @since 0.1.0
 */
export const isAuthentic = (config: StoreConfig & { readonly keyCheck: string | null }, key: Uint8Array): boolean => {
  const { keyCheck, ...rest } = config
  if (keyCheck === null || rest.encryption === null) return false
  return timingSafeEqual(Buffer.from(keyCheck, "hex"), Buffer.from(macOf(rest, key), "hex"))
}
