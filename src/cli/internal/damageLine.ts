import type * as Integrity from "../../image/Integrity.ts"
import * as Text from "./text.ts"

/**
 * One damaged extent.
 *
 * @internal
 */
export const damageLine = ({ block, expected, firstPage, found, pages, position }: Integrity.Damage): string =>
  `pages ${firstPage} to ${firstPage + pages - 1} of "${Text.printable(block)}" (at byte ${position}): expected digest ${expected}, found ${found}`
