import * as Finding from "../../Finding.ts"

/** Version of seals and marks. @internal */
export const VERSION = 1

/** Bytes for a digest in a seal and in a mark, for any algorithm. */
const DIGEST_ROOM = 32

/**
 * Pads a digest for storage with zeros.
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
