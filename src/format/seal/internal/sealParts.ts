import * as Finding from "../../Finding.ts"

/** Of seals and of marks. @internal */
export const VERSION = 1

/** Bytes for a digest in a seal and in a mark, whatever the algorithm. */
const DIGEST_ROOM = 32

/**
 * A digest as it is stored: zeros behind a short one.
 *
 * @internal
 */
export const padded = (digest: Uint8Array): Uint8Array => {
  const bytes = new Uint8Array(DIGEST_ROOM)
  bytes.set(digest)
  return bytes
}

/** @internal */
export const corrupt = (offset: number, expected: string, found: string): Finding.Finding =>
  Finding.make({ code: "seal-corrupt", offset, expected, found })
