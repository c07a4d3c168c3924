/**
 * The keys of a snapshot store, and their derivation.
 *
 * ```text
 *   passphrase ── scrypt ─┐
 *   key file ──── HKDF ───┴─▶ opens key/<id> ─▶ repository key, 32 random bytes
 *                                                 ├─ HKDF "multifd config"   HMAC of the configuration
 *                                                 ├─ HKDF "multifd digest"   digests of pages
 *                                                 ├─ HKDF "multifd vm"       names of machines in the names of objects
 *                                                 └─ HKDF with salt          a key for every sealed object
 *
 *   without encryption: the digest key stands in the configuration, names of machines are hashed
 * ```
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import { Buffer } from "node:buffer"
import { createHash, createHmac, hkdfSync, randomBytes, scrypt } from "node:crypto"
import * as SealedObject from "../format/store/SealedObject.ts"
import type * as StoreConfig from "../format/store/StoreConfig.ts"
import * as StoreId from "../format/store/StoreId.ts"
import * as WrappedKey from "../format/store/WrappedKey.ts"

/**
 * The secret of an encrypted store: a passphrase, or the bytes of a key file.
 *
 * @stability unstable
 * @category models
 * @since 0.1.0
 */
export type Secret =
  | { readonly _tag: "Passphrase"; readonly passphrase: string }
  | { readonly _tag: "KeyFile"; readonly bytes: Uint8Array }

/**
 * The keys of an opened store.
 *
 * @stability unstable
 * @category models
 * @since 0.1.0
 */
export interface RepositoryKeys {
  /** `undefined`: the store is not encrypted. */
  readonly repositoryKey: Uint8Array | undefined
  readonly digestKey: Uint8Array
  /** The part of an object's name that identifies a machine: 26 characters. */
  readonly machineId: (vm: string) => string
}

const derive = (key: Uint8Array, info: string): Uint8Array =>
  new Uint8Array(hkdfSync("sha256", key, new Uint8Array(0), info, 32))

/**
 * The key of the HMAC of a configuration.
 *
 * @stability unstable
 * @category computing
 * @since 0.1.0
 */
export const configKey = (repositoryKey: Uint8Array): Uint8Array => derive(repositoryKey, "multifd config")

/**
 * The keys of an encrypted store.
 *
 * @stability unstable
 * @category constructors
 * @since 0.1.0
 */
export const encrypted = (repositoryKey: Uint8Array): RepositoryKeys => {
  const machines = derive(repositoryKey, "multifd vm")
  return {
    repositoryKey,
    digestKey: derive(repositoryKey, "multifd digest"),
    machineId: (vm) => StoreId.fromBytes(capped(createHmac("sha256", machines).update(vm).digest()))
  }
}

/**
 * The keys of a store without encryption.
 *
 * @stability unstable
 * @category constructors
 * @since 0.1.0
 */
export const plain = (config: StoreConfig.StoreConfig): RepositoryKeys => ({
  repositoryKey: undefined,
  digestKey: WrappedKey.bytesOf(config.digestKey ?? ""),
  machineId: (vm) => StoreId.fromBytes(capped(createHash("sha256").update(vm).digest()))
})

const capped = (digest: Uint8Array): Uint8Array => digest.subarray(0, StoreId.BYTES)

/** scrypt needs 128 × n × r bytes, and a little more than that. */
const MEMORY_SLACK = 2 ** 20

const stretch = (passphrase: string, salt: Uint8Array, { n, p, r }: { n: number; p: number; r: number }) =>
  Effect.callback<Uint8Array>((resume) => {
    const maxmem = 128 * n * r + MEMORY_SLACK
    // NFKC: the same passphrase typed on another keyboard gives the same bytes.
    scrypt(passphrase.normalize("NFKC"), salt, 32, { N: n, r, p, maxmem }, (error, key) =>
      resume(error === null ? Effect.succeed(new Uint8Array(key)) : Effect.die(error))
    )
  })

const wrappingKey = (
  secret: Secret,
  salt: Uint8Array,
  kdf: Pick<WrappedKey.WrappedKey, "kdf"> & { readonly n?: number; readonly r?: number; readonly p?: number }
): Effect.Effect<Uint8Array> => {
  if (secret._tag === "KeyFile") {
    return Effect.sync(() => new Uint8Array(hkdfSync("sha256", secret.bytes, salt, "multifd key file", 32)))
  }
  const { n = WrappedKey.SCRYPT.n, p = WrappedKey.SCRYPT.p, r = WrappedKey.SCRYPT.r } = kdf
  return stretch(secret.passphrase, salt, { n, p, r })
}

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex")

const NONCE = new Uint8Array(12)

/**
 * Wraps the key of a store for the object of this name.
 *
 * @stability unstable
 * @category wrapping
 * @since 0.1.0
 */
export const wrap = Effect.fnUntraced(function* (
  secret: Secret,
  sealing: SealedObject.Sealing,
  salt: Uint8Array = randomBytes(SealedObject.SALT_BYTES)
): Effect.fn.Return<WrappedKey.WrappedKey> {
  const kdf = secret._tag === "Passphrase" ? WrappedKey.SCRYPT : ({ kdf: "hkdf-sha-256" } as const)
  const key = yield* wrappingKey(secret, salt, kdf)
  const sealed = SealedObject.encrypt(key, NONCE, SealedObject.additionalData(sealing), sealing.repositoryKey)
  return { ...kdf, salt: hex(salt), sealed: hex(sealed) }
})

/**
 * The key of a store; `undefined` if the secret does not open it, or is of the other kind.
 *
 * @stability unstable
 * @category wrapping
 * @since 0.1.0
 */
export const unwrap = Effect.fnUntraced(function* (
  secret: Secret,
  wrapped: WrappedKey.WrappedKey,
  sealing: Omit<SealedObject.Sealing, "repositoryKey">
): Effect.fn.Return<Uint8Array | undefined> {
  if ((wrapped.kdf === "scrypt") !== (secret._tag === "Passphrase")) return undefined
  const key = yield* wrappingKey(secret, WrappedKey.bytesOf(wrapped.salt), wrapped)
  const additional = SealedObject.additionalData({ ...sealing, repositoryKey: key })
  return SealedObject.decrypt(key, NONCE, additional, WrappedKey.bytesOf(wrapped.sealed))
})
