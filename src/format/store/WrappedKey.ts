/**
 * The key of an encrypted store, wrapped by a passphrase or by a key file: canonical JSON of at most 4 KiB.
 *
 * ```text
 *   {"kdf":"scrypt","n":131072,"p":1,"r":8,"salt":HEX 32,"sealed":HEX}      passphrase
 *   {"kdf":"hkdf-sha-256","salt":HEX 32,"sealed":HEX}                       key file
 *
 *   sealed  AES-256-GCM of the 32 bytes of the key, its tag behind it; nonce: zeros, since the salt is new each time;
 *           AAD: repository, NUL, the name of the object
 * ```
 *
 * @since 0.1.0
 */
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import { Buffer } from "node:buffer"
import type * as Finding from "../Finding.ts"
import * as CanonicalJson from "./internal/canonicalJson.ts"
import { found, oneLine } from "./internal/findings.ts"

const hex = (bytes: number) => Schema.String.check(Schema.isPattern(new RegExp(`^[0-9a-f]{${2 * bytes}}$`)))
const power = (minimum: number, maximum: number) =>
  Schema.Literals(Array.from({ length: Math.log2(maximum / minimum) + 1 }, (_, index) => minimum * 2 ** index))

const common = { salt: hex(16), sealed: hex(32 + 16) }
const Scrypt = Schema.Struct({
  kdf: Schema.Literal("scrypt"),
  /** The cost: at most 1 GiB of memory. */
  n: power(2 ** 14, 2 ** 20),
  r: Schema.Literal(8),
  p: Schema.Literal(1),
  ...common
})
const Hkdf = Schema.Struct({ kdf: Schema.Literal("hkdf-sha-256"), ...common })
const Wrapped = Schema.Union([Scrypt, Hkdf])

/**
 * A wrapped key.
 *
 * @stability unstable
 * @category models
 * @since 0.1.0
 */
export type WrappedKey = typeof Wrapped.Type

/**
 * The cost of a newly set passphrase: 128 MiB of memory.
 *
 * @stability unstable
 * @category constants
 * @since 0.1.0
 */
export const SCRYPT = { kdf: "scrypt", n: 2 ** 17, r: 8, p: 1 } as const

/** @stability unstable @category constants @since 0.1.0 */
export const MAX_BYTES = 4096

/**
 * The bytes of a wrapped key.
 *
 * @stability unstable
 * @category encoding
 * @since 0.1.0
 */
export const encode = (key: WrappedKey): Uint8Array => CanonicalJson.toBytes(key)

const decodeSchema = Schema.decodeUnknownResult(Wrapped)

/**
 * Reads a wrapped key. Fails with `store-config-corrupt`.
 *
 * @stability unstable
 * @category decoding
 * @since 0.1.0
 */
export const decode = (bytes: Uint8Array): Result.Result<WrappedKey, Finding.Finding> => {
  const value = bytes.length > MAX_BYTES ? undefined : CanonicalJson.fromBytes(bytes)
  const decoded = decodeSchema(value, { onExcessProperty: "error" })
  return Result.isSuccess(decoded)
    ? Result.succeed(decoded.success)
    : found("store-config-corrupt", 0, "a wrapped key", oneLine(decoded.failure.message))
}

/**
 * The bytes of a field in hexadecimal.
 *
 * @stability unstable
 * @category getters
 * @since 0.1.0
 */
export const bytesOf = (field: string): Uint8Array => new Uint8Array(Buffer.from(field, "hex"))
