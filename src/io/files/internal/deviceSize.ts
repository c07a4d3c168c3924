import * as Effect from "effect/Effect"
import type { FileError } from "../FileError.ts"
import type { PositionalFile } from "./positionalFileModel.ts"

/** The unit of block devices. */
const SECTOR = 512

/** The limit of positions. */
const MAX_SECTORS = 2 ** 53 / SECTOR

/**
 * The size of a block device, whose status has no size. The calls for it (`ioctl`, `lseek`) are unavailable, but a read
 * past the end returns nothing: a search finds the last sector in some sixty reads of one byte.
 *
 * @internal
 */
export const deviceSize = Effect.fnUntraced(function* (
  read: PositionalFile["read"]
): Effect.fn.Return<number, FileError, never> {
  const byte = new Uint8Array(1)
  const exists = (sector: number) => Effect.map(read(sector * SECTOR, byte), (count) => count === 1)
  let present = 0
  let absent = 1
  while (absent < MAX_SECTORS && (yield* exists(absent - 1))) {
    present = absent
    absent *= 2
  }
  while (absent - present > 1) {
    const middle = Math.floor((present + absent) / 2)
    if (yield* exists(middle - 1)) present = middle
    else absent = middle
  }
  return present * SECTOR
})
