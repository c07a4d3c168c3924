/**
 * Heads of images that QEMU 10.0 wrote: `pc-i440fx-10.0`, 32 MiB of RAM in a memory backend called `m`. Position, and the
 * bytes from there to the end of a block's mapped-ram header; behind them come bitmap and pages.
 */
import type { Piece } from "../../../src/format/image/ImageStream.ts"
import { hex } from "../bytes.ts"

const header = "5145564d 00000003"
const machine = "07 0000000e 70632d6934343066782d31302e30"
const capabilities = "05 1a 636f6e66696775726174696f6e2f6361706162696c6974696573 00000001"
const mappedRam = "0a 6d61707065642d72616d"
const ignoreShared = "0f 782d69676e6f72652d736861726564"
const uuid = "05 12 636f6e66696775726174696f6e2f75756964 00000001 00112233445566778899aabbccddeeff"
const start = "01 00000001 03 72616d 00000000 00000004 0000000002082004"

const piece = (position: number, digits: string): Piece => ({ position, bytes: hex(digits) })

/** All blocks behind the first are laid out alike, whatever the configuration. */
const others = [
  piece(
    0x2100000,
    "14 2f726f6d406574632f616370692f7461626c6573 0000000000020000 00000001 0000000000001000 0000000002100039 0000000002200000"
  ),
  piece(0x2220000, "07 70632e62696f73 0000000000040000 00000001 0000000000001000 000000000222002c 0000000002300000"),
  piece(0x2340000, "06 70632e726f6d 0000000000020000 00000001 0000000000001000 000000000234002b 0000000002400000"),
  piece(
    0x2420000,
    "15 2f726f6d406574632f7461626c652d6c6f61646572 0000000000001000 00000001 0000000000001000 000000000242003a 0000000002500000"
  ),
  piece(
    0x2501000,
    "12 2f726f6d406574632f616370692f72736470 0000000000001000 00000001 0000000000001000 0000000002501037 0000000002600000"
  )
]

/** With `x-ignore-shared` each entry has the block's address in front of its header. */
const addressed = [
  piece(
    0x2100000,
    "14 2f726f6d406574632f616370692f7461626c6573 0000000000020000 0000000000000000 00000001 0000000000001000 0000000002100041 0000000002200000"
  ),
  piece(
    0x2220000,
    "07 70632e62696f73 0000000000040000 00000000fffc0000 00000001 0000000000001000 0000000002220034 0000000002300000"
  ),
  piece(
    0x2340000,
    "06 70632e726f6d 0000000000020000 00000000000c0000 00000001 0000000000001000 0000000002340033 0000000002400000"
  ),
  piece(
    0x2420000,
    "15 2f726f6d406574632f7461626c652d6c6f61646572 0000000000001000 0000000000000000 00000001 0000000000001000 0000000002420042 0000000002500000"
  ),
  piece(
    0x2501000,
    "12 2f726f6d406574632f616370692f72736470 0000000000001000 0000000000000000 00000001 0000000000001000 000000000250103f 0000000002600000"
  )
]

const first = (bitmapOffset: string) =>
  `01 6d 0000000002000000 00000001 0000000000001000 ${bitmapOffset} 0000000000100000`

/** The captures by what is special about each. */
export const heads = {
  plain: [
    piece(0, `${header}${machine}${capabilities} 00000001 ${mappedRam} ${start} ${first("0000000000000089")}`),
    ...others
  ],
  "offset=12345": [
    piece(12345, `${header}${machine}${capabilities} 00000001 ${mappedRam} ${start} ${first("00000000000030c2")}`),
    ...others
  ],
  "x-ignore-shared, with private blocks only": [
    piece(
      0,
      `${header}${machine}${capabilities} 00000002 ${ignoreShared} ${mappedRam} ${start} 01 6d 0000000002000000
       0000000000000000 00000001 0000000000001000 00000000000000a1 0000000000100000`
    ),
    ...addressed
  ],
  "validate-uuid": [
    piece(0, `${header}${machine}${capabilities} 00000001 ${mappedRam} ${uuid} ${start} ${first("00000000000000b1")}`),
    ...others
  ],
  "send-configuration=off": [piece(0, `${header} ${start} ${first("0000000000000047")}`), ...others]
} as const satisfies Record<string, ReadonlyArray<Piece>>

/** Where the stream goes on in all of them. */
export const END = 0x2601000

/** From there to the end of RAM, with the empty PART that QEMU writes. */
export const ramEnd = hex(`0000000000000010 7e 00000001  02 00000001 0000000000000010 7e 00000001
  08 000b 0000  03 00000001 0000000000000010 7e 00000001`)

/** The same of a machine without footers, 2.3 and older. */
export const ramEndWithoutFooters = hex(`0000000000000010  02 00000001 0000000000000010
  08 000b 0000  03 00000001 0000000000000010`)

/** A section that stood between RAM's START and the first PART: a virtio-mem device of `pc-q35-10.0`. */
export const earlySection = hex(`04 00000026 24 303030303a30303a30312e302f76697274696f2d6d656d2d6465766963652d6561726c79
  00000000 00000001
  00000001 0000000000000000 0400000000000000 0020000000000000 0000000000000000 0000000000000000
  7e 00000026`)
