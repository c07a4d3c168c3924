/**
 * The checksums of sealed images.
 *
 * ```text
 *   page digest     H(bytes of the page)
 *   extent digest   H(name, index, presence bits, page digests of the present pages)
 *   seal digest     H or HMAC of everything that the seal says
 * ```
 *
 * There are two levels, so that a page that is written again (a live round, a packet of scattered pages) replaces its
 * own digest and nothing must be read back.
 *
 * @since 0.1.0
 */
import { createHash, createHmac, hash } from "node:crypto"
import { crc32 } from "./internal/crc32.ts"

/**
 * - `crc32`: the polynomial of IEEE 802.3, as in zlib. As fast as a disk, and twice as fast with the optional package
 *   `@node-rs/crc32`, which uses the processor's instructions. Detects every accidental change within 32 bits of one
 *   page, and all others except one in 2^32.
 * - `sha256`: other pages with the same digest cannot be made; four to six times slower.
 * - `hmac-sha256`: like `sha256`, and making the seal needs the key.
 *
 * @stability unstable
 * @category models
 * @since 0.1.0
 */
export type Algorithm = "crc32" | "sha256" | "hmac-sha256"

/**
 * Each algorithm, with its byte in a seal.
 *
 * @stability unstable
 * @category constants
 * @since 0.1.0
 */
export const algorithms: Readonly<Record<Algorithm, number>> = { crc32: 1, sha256: 2, "hmac-sha256": 3 }

/**
 * The algorithm of a byte in a seal; `undefined` if the byte is unknown.
 *
 * @stability unstable
 * @category getters
 * @since 0.1.0
 */
export const fromCode = (code: number): Algorithm | undefined =>
  (Object.keys(algorithms) as ReadonlyArray<Algorithm>).find((algorithm) => algorithms[algorithm] === code)

/**
 * Bytes of a digest of pages and extents.
 *
 * @stability unstable
 * @category getters
 * @since 0.1.0
 */
export const digestLength = (algorithm: Algorithm): number => (algorithm === "crc32" ? 4 : 32)

/**
 * Writes the digest of a page to `target` at `at`.
 *
 * @stability unstable
 * @category computing
 * @since 0.1.0
 */
export const pageInto = (algorithm: Algorithm, page: Uint8Array, target: Uint8Array, at: number): void => {
  if (algorithm !== "crc32") return target.set(hash("sha256", page, "buffer"), at)
  const value = crc32(page)
  target[at] = value >>> 24
  target[at + 1] = value >>> 16
  target[at + 2] = value >>> 8
  target[at + 3] = value
}

/**
 * A digest in progress.
 *
 * @stability unstable
 * @category models
 * @since 0.1.0
 */
export interface Hasher {
  readonly update: (bytes: Uint8Array) => void
  /** Finishes the digest. Call it once. */
  readonly digest: () => Uint8Array
}

/**
 * Starts a digest; with a key, for a keyed algorithm.
 *
 * @stability unstable
 * @category constructors
 * @since 0.1.0
 */
export const hasher = (algorithm: Algorithm, key?: Uint8Array | undefined): Hasher => {
  if (algorithm === "crc32") {
    let value = 0
    return {
      update: (bytes) => void (value = crc32(bytes, value)),
      digest: () => Uint8Array.of(value >>> 24, value >>> 16, value >>> 8, value)
    }
  }
  const state = key === undefined ? createHash("sha256") : createHmac("sha256", key)
  return { update: (bytes) => void state.update(bytes), digest: () => new Uint8Array(state.digest()) }
}
