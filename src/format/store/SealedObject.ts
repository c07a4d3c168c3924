/**
 * A map or a record of an encrypted store, as one message of AES-256-GCM under a key of its own.
 *
 * ```text
 *    0   8  "MFDsSeal"
 *    8  u32  version 1, little-endian        12  u32  0
 *   16  16   salt: random, and new each time
 *   32   n   ciphertext
 *    …  16   tag
 *
 *   key    HKDF-SHA-256 of the repository's key; salt: the 16 bytes; info: "multifd object", repository, name of the object
 *   nonce  12 zeros, since the key is used once
 *   AAD    repository, NUL, name of the object
 * ```
 *
 * @since 0.1.0
 */
import * as Result from "effect/Result"
import { Buffer } from "node:buffer"
import { createCipheriv, createDecipheriv, hkdfSync, randomBytes } from "node:crypto"
import type * as Finding from "../Finding.ts"
import { found } from "./internal/findings.ts"

const MAGIC = Buffer.from("MFDsSeal", "latin1")
const VERSION = 1
const HEADER_BYTES = 32
const TAG_BYTES = 16
const NONCE_BYTES = 12
const CIPHER = "aes-256-gcm"

/**
 * Bytes that sealing adds.
 *
 * @stability unstable
 * @category constants
 * @since 0.1.0
 */
export const OVERHEAD: number = HEADER_BYTES + TAG_BYTES

/**
 * Bytes of the salt of an object's key.
 *
 * @stability unstable
 * @category constants
 * @since 0.1.0
 */
export const SALT_BYTES: number = 16

/**
 * An object, and the repository's key that seals it.
 *
 * @stability unstable
 * @category models
 * @since 0.1.0
 */
export interface Sealing {
  /** 32 bytes. */
  readonly repositoryKey: Uint8Array
  readonly repository: string
  /** The name of the object. */
  readonly name: string
}

/**
 * The key of one object: 32 bytes, unique for each object and each salt.
 *
 * @stability unstable
 * @category computing
 * @since 0.1.0
 */
export const objectKey = ({ name, repository, repositoryKey }: Sealing, salt: Uint8Array): Uint8Array =>
  new Uint8Array(hkdfSync("sha256", repositoryKey, salt, `multifd object ${repository} ${name}`, 32))

/**
 * Data that is authenticated with the message: the object and its repository.
 *
 * @stability unstable
 * @category computing
 * @since 0.1.0
 */
export const additionalData = ({ name, repository }: Sealing): Uint8Array =>
  new Uint8Array(Buffer.from(`${repository}\0${name}`, "utf8"))

/**
 * Seals one message with a key and a nonce that are used once: ciphertext and tag.
 *
 * @stability unstable
 * @category encoding
 * @since 0.1.0
 */
export const encrypt = (
  key: Uint8Array,
  nonce: Uint8Array,
  additional: Uint8Array,
  message: Uint8Array
): Uint8Array => {
  const cipher = createCipheriv(CIPHER, key, nonce, { authTagLength: TAG_BYTES })
  cipher.setAAD(additional)
  return new Uint8Array(Buffer.concat([cipher.update(message), cipher.final(), cipher.getAuthTag()]))
}

/**
 * The message of `encrypt`; `undefined` if key, nonce, additional data or any bit differs.
 *
 * @stability unstable
 * @category decoding
 * @since 0.1.0
 */
export const decrypt = (
  key: Uint8Array,
  nonce: Uint8Array,
  additional: Uint8Array,
  sealed: Uint8Array
): Uint8Array | undefined => {
  if (sealed.length < TAG_BYTES) return undefined
  const decipher = createDecipheriv(CIPHER, key, nonce, { authTagLength: TAG_BYTES })
  decipher.setAAD(additional)
  decipher.setAuthTag(sealed.subarray(sealed.length - TAG_BYTES))
  try {
    const message = decipher.update(sealed.subarray(0, sealed.length - TAG_BYTES))
    decipher.final()
    return new Uint8Array(message.buffer, message.byteOffset, message.length)
  } catch {
    return undefined
  }
}

/**
 * Seals an object. `salt` must be new each time; it is random by default.
 *
 * @stability unstable
 * @category encoding
 * @since 0.1.0
 */
export const seal = (sealing: Sealing, message: Uint8Array, salt: Uint8Array = randomBytes(SALT_BYTES)): Uint8Array => {
  const header = Buffer.alloc(HEADER_BYTES)
  header.set(MAGIC)
  header.writeUInt32LE(VERSION, MAGIC.length)
  header.set(salt, HEADER_BYTES - SALT_BYTES)
  const key = objectKey(sealing, salt)
  const sealed = encrypt(key, new Uint8Array(NONCE_BYTES), additionalData(sealing), message)
  return new Uint8Array(Buffer.concat([header, sealed]))
}

const forged = (offset: number, expected: string, actual: string) =>
  found("store-object-forged", offset, expected, actual)

/**
 * Opens a sealed object. Fails with `store-object-forged` or `store-version-unsupported`.
 *
 * @stability unstable
 * @category decoding
 * @since 0.1.0
 */
export const open = (sealing: Sealing, bytes: Uint8Array): Result.Result<Uint8Array, Finding.Finding> => {
  const head = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
  if (head.length < OVERHEAD || !head.subarray(0, MAGIC.length).equals(MAGIC)) {
    return forged(0, "a sealed object", `${bytes.length} other bytes`)
  }
  const version = head.readUInt32LE(MAGIC.length)
  if (version !== VERSION) return found("store-version-unsupported", 8, `version ${VERSION}`, `version ${version}`)
  if (head.readUInt32LE(12) !== 0) return forged(12, "0", `${head.readUInt32LE(12)}`)
  const salt = bytes.subarray(HEADER_BYTES - SALT_BYTES, HEADER_BYTES)
  const key = objectKey(sealing, salt)
  const message = decrypt(key, new Uint8Array(NONCE_BYTES), additionalData(sealing), bytes.subarray(HEADER_BYTES))
  return message === undefined
    ? forged(HEADER_BYTES, `a message sealed for ${sealing.name}`, "another key, another name or damage")
    : Result.succeed(message)
}
