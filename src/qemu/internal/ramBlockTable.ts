import { defaultPageSize } from "../../ram/RamBlock.ts"
import type { RamBlock } from "./qmpCommandsModel.ts"

/**
 * A line of QEMU's table of its RAM blocks:
 *
 *              Block Name    PSize              Offset               Used              Total
 *                  pc.ram    4 KiB  0x0000000000000000 0x0000000004000000 0x0000000004000000
 *
 * Later versions have more columns after these.
 */
const LINE = /^\s*(\S.*?)\s+(\d+) ([KMGT]?)i?B\s+0x[0-9a-f]+\s+0x([0-9a-f]+)\s+0x([0-9a-f]+)(?:\s|$)/

/**
 * Parses the table. Blocks without a name are in no image and are skipped, and so is any other text.
 *
 * @internal
 */
export const parse = (table: string): ReadonlyArray<RamBlock> =>
  table.split("\n").flatMap((line) => {
    const match = LINE.exec(line)
    if (match === null) return []
    const [, idstr = "", count = "", unit = "", used = "", total = ""] = match
    const hostPageSize = Number(count) * 1024 ** "KMGT".indexOf(unit || "?") * 1024
    const unusual = hostPageSize === defaultPageSize ? {} : { hostPageSize }
    return [{ idstr, usedLength: Number.parseInt(used, 16), maxLength: Number.parseInt(total, 16), ...unusual }]
  })
