import type { HeadBlock, ImageHead, MappedBlock, Piece } from "./imageModel.ts"
import * as MappedRam from "../MappedRam.ts"
import * as MigrationStream from "../../stream/MigrationStream.ts"
import { ByteWriter } from "../../internal/byteWriter.ts"

/** Consecutive bytes, from a position of the file. */
interface Pen {
  readonly position: number
  readonly out: ByteWriter
}

const penAt = (position: number): Pen => ({ position, out: new ByteWriter() })

const pieceOf = ({ out, position }: Pen): Piece => ({ position, bytes: out.finish() })

const positionOf = ({ out, position }: Pen): number => position + out.length

/** @internal */
export const encodeHead = (options: {
  readonly start: number
  readonly configuration: MigrationStream.Configuration | undefined
  readonly prelude: Uint8Array
  readonly blocks: ReadonlyArray<HeadBlock>
  readonly sectionId: number
  readonly room: number
}): ImageHead => {
  const { blocks, configuration, prelude, room, sectionId, start } = options
  const addresses = addressesListed(configuration, blocks)
  const pieces: Array<Piece> = []
  const mapped: Array<MappedBlock> = []
  let pen = penAt(start)
  pen.out.append(MigrationStream.encodeFileHeader())
  if (configuration !== undefined) pen.out.append(MigrationStream.encodeConfiguration(configuration))
  pen.out.append(prelude).append(openRam(sectionId)).append(totalOf(blocks))
  let isFirst = true
  for (const block of blocks) {
    const placed = encodeEntry(pen, block, { addresses, room: isFirst ? MARK_ROOM + room : 0 })
    mapped.push(placed)
    if (!placed.ignored) {
      isFirst = false
      pieces.push(pieceOf(pen))
      pen = penAt(placed.header.pagesOffset + block.usedLength)
    }
  }
  if (pen.out.length > 0) pieces.push(pieceOf(pen))
  return { pieces, blocks: mapped, end: positionOf(pen) }
}

/** Without a configuration nothing shows whether entries have addresses, so a loader that expects them must be told. */
const addressesListed = (
  configuration: MigrationStream.Configuration | undefined,
  blocks: ReadonlyArray<HeadBlock>
): boolean =>
  configuration === undefined
    ? blocks.some((block) => block.address !== undefined)
    : configuration.capabilities.includes("x-ignore-shared")

const openRam = (sectionId: number): Uint8Array =>
  MigrationStream.encodeSectionHeader({
    type: "start",
    sectionId,
    name: "ram",
    instanceId: 0,
    version: MigrationStream.RAM_VERSION
  })

const totalOf = (blocks: ReadonlyArray<HeadBlock>): Uint8Array =>
  MigrationStream.encodeRamRecord(
    MigrationStream.RamFlag.memSize,
    blocks.reduce((sum, block) => sum + block.usedLength, 0)
  )

/**
 * Room for the mark of a seal, for any end of the bitmap. QEMU's alignment leaves as much, except for one length in
 * some thousands.
 */
const MARK_ROOM = 2 * 64

const encodeEntry = (
  pen: Pen,
  block: HeadBlock,
  { addresses, room }: { readonly addresses: boolean; readonly room: number }
): MappedBlock => {
  const { address = 0, idstr, ignored = false, pageSize, usedLength } = block
  const entryPosition = positionOf(pen)
  pen.out.str8(idstr).u64(usedLength)
  if (addresses) pen.out.u64(address)
  const headerPosition = positionOf(pen)
  const header = ignored
    ? { version: MappedRam.HEADER_VERSION, pageSize, bitmapOffset: 0, pagesOffset: 0 }
    : MappedRam.layoutWithRoom(headerPosition + MappedRam.HEADER_BYTES, block, room)
  pen.out.append(MappedRam.encodeHeader(header))
  return { idstr, usedLength, ...(addresses ? { address } : {}), entryPosition, headerPosition, header, ignored }
}

/** @internal */
export const encodeEnd = (options: {
  readonly sectionId: number
  readonly early: Uint8Array
  readonly switchoverStart: boolean
  readonly footers: boolean
}): Uint8Array => {
  const { early, footers, sectionId, switchoverStart } = options
  const out = new ByteWriter()
  const close = () => {
    out.append(MigrationStream.encodeRamRecord(MigrationStream.RamFlag.endOfSection))
    if (footers) out.append(MigrationStream.encodeFooter(sectionId))
  }
  close()
  out.append(early)
  if (switchoverStart) out.append(MigrationStream.encodeCommand(MigrationStream.Command.switchoverStart))
  out.append(MigrationStream.encodeSectionHeader({ type: "end", sectionId }))
  close()
  return out.finish()
}
