/**
 * The RAM of the guests whose migrations were captured into `test/fixtures/multifd`.
 */

/** Bytes. */
export const SIZE = 1024 * 1024

const PAGE = 4096

/** Bytes that do not compress, the same ones each time. */
const noise = (page: Uint8Array, seed: number): void => {
  let state = seed
  for (let i = 0; i < page.length; i++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    page[i] = state >>> 24
  }
}

/** One page in four is zero, one all alike, one of numbers, and one text; two of them are noise. */
const fill = (page: Uint8Array, index: number): void => {
  if (index === 6 || index === 201) noise(page, index)
  else if (index % 4 === 1) page.fill(index)
  else if (index % 4 === 2) page.forEach((_, i) => void (page[i] = i * index))
  else if (index % 4 === 3) page.set(Buffer.alloc(page.length, `page ${index} `))
}

/** What a guest that never ran has in its RAM. */
export const initial = (): Uint8Array => {
  const ram = new Uint8Array(SIZE)
  for (let at = 0; at < SIZE; at += PAGE) fill(ram.subarray(at, at + PAGE), at / PAGE)
  return ram
}
