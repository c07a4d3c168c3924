/**
 * The digest that identifies a page in a snapshot store.
 *
 * ```text
 *   digest     first 16 bytes of SHA-256(key block ‖ page)
 *   key block  64 bytes: HKDF-SHA-256 of the digest key; info: "multifd page digest" and the page size
 * ```
 *
 * **Details**
 *
 * The key keeps a guest that chooses its own pages from finding two with one digest. The key fills one block of the
 * hash, so a keyed digest takes as long as a plain one; HMAC takes six times as long for a page of 4 KiB.
 *
 * @since 0.1.0
 */
import { createHash, hkdfSync } from "node:crypto"

/**
 * Bytes of a digest.
 *
 * @stability unstable
 * @category constants
 * @since 0.1.0
 */
export const BYTES: number = 16

/**
 * The key block for pages of one size: 64 bytes.
 *
 * @stability unstable
 * @category computing
 * @since 0.1.0
 */
export const keyBlock = (digestKey: Uint8Array, pageSize: number): Uint8Array =>
  new Uint8Array(hkdfSync("sha256", digestKey, new Uint8Array(0), `multifd page digest ${pageSize}`, 64))

/**
 * Writes the digest of a page to `target` at `at`.
 *
 * @stability unstable
 * @category computing
 * @since 0.1.0
 */
export const into = (block: Uint8Array, page: Uint8Array, target: Uint8Array, at: number): void => {
  const digest = createHash("sha256").update(block).update(page).digest()
  target.set(digest.subarray(0, BYTES), at)
}

/**
 * The digests of the pages of `bytes`, one after another.
 *
 * @stability unstable
 * @category computing
 * @since 0.1.0
 */
export const ofPages = (block: Uint8Array, bytes: Uint8Array, pageSize: number): Uint8Array => {
  const digests = new Uint8Array((bytes.length / pageSize) * BYTES)
  for (let page = 0; page * pageSize < bytes.length; page++) {
    into(block, bytes.subarray(page * pageSize, (page + 1) * pageSize), digests, page * BYTES)
  }
  return digests
}
