import { constants } from "node:zlib"

/** A page and its compressed form are small; the library allocates a new chunk whenever this much is used up. */
const chunkSize = 64 * 1024

/**
 * Each write is a complete stream.
 *
 * @internal
 */
export const inflate = { flush: constants.Z_FINISH, chunkSize }

/**
 * The accelerators look back 4 KiB, a window of 12 bits.
 *
 * @internal
 */
export const deflate = { ...inflate, windowBits: 12 }
