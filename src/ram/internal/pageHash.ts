// The loop ends before the page does: a check would be paid for every byte of every page.
// oxlint-disable typescript/no-non-null-assertion -- see above
/**
 * The body of MurmurHash3 in its 128-bit form for 32-bit machines (Austin Appleby, public domain), which JavaScript
 * computes exactly. The finalizer mixes in the length and mixes the bits once more. Neither changes whether two pages
 * of one size have the same hash, so it is left out.
 *
 * ```text
 *   16 bytes    w0            w1            w2            w3
 *               │             │             │             │      each word: multiplied, rotated, multiplied
 *   state       h0 ◀── h1     h1 ◀── h2     h2 ◀── h3     h3 ◀── h0    each: xor, rotated, + its neighbour, × 5 + n
 * ```
 */

/**
 * The length of a hash, in words of 32 bits.
 *
 * @internal
 */
export const words = 4

/**
 * Writes the hash of `page`, whose length is a multiple of 16 bytes, to `hash`.
 *
 * @internal
 */
export const make = (page: Int32Array, hash: Int32Array): Int32Array => {
  let h0 = 0
  let h1 = 0
  let h2 = 0
  let h3 = 0
  for (let i = 0; i < page.length; i += words) {
    let word = Math.imul(page[i]!, 0x239b961b)
    h0 ^= Math.imul((word << 15) | (word >>> 17), 0xab0e9789)
    h0 = (((h0 << 19) | (h0 >>> 13)) + h1) | 0
    h0 = (Math.imul(h0, 5) + 0x561ccd1b) | 0

    word = Math.imul(page[i + 1]!, 0xab0e9789)
    h1 ^= Math.imul((word << 16) | (word >>> 16), 0x38b34ae5)
    h1 = (((h1 << 17) | (h1 >>> 15)) + h2) | 0
    h1 = (Math.imul(h1, 5) + 0x0bcaa747) | 0

    word = Math.imul(page[i + 2]!, 0x38b34ae5)
    h2 ^= Math.imul((word << 17) | (word >>> 15), 0xa1e38b93)
    h2 = (((h2 << 15) | (h2 >>> 17)) + h3) | 0
    h2 = (Math.imul(h2, 5) + 0x96cd1c35) | 0

    word = Math.imul(page[i + 3]!, 0xa1e38b93)
    h3 ^= Math.imul((word << 18) | (word >>> 14), 0x239b961b)
    h3 = (((h3 << 13) | (h3 >>> 19)) + h0) | 0
    h3 = (Math.imul(h3, 5) + 0x32ac3b17) | 0
  }
  hash[0] = h0
  hash[1] = h1
  hash[2] = h2
  hash[3] = h3
  return hash
}

/**
 * `true` if `hash` equals the hash at index `at` of `hashes`.
 *
 * @internal
 */
export const equals = (hash: Int32Array, hashes: Int32Array, at: number): boolean =>
  hash[0] === hashes[at] && hash[1] === hashes[at + 1] && hash[2] === hashes[at + 2] && hash[3] === hashes[at + 3]
