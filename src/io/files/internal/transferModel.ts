/**
 * Most bytes in one system call: below Node's limit of 2^31 - 1 and Linux's of 2^31 - 4096, and page aligned, so that a
 * full call keeps the alignment of the rest.
 *
 * @internal
 */
export const MAX_CALL_BYTES = 2 ** 30

/** @internal */
export type Direction = "read" | "write"
