/**
 * What a sender writes on the main channel of a socket migration around the pages.
 *
 * ```text
 *   head    file header │ configuration without mapped-ram │ prelude
 *   start   01 START "ram" │ MEM_SIZE, list of blocks │ [FLUSH] │ EOS │ footer
 *   open    02 PART                 records (RamRecords), FLUSH …
 *   close   [FLUSH] │ EOS │ footer
 *   open    03 END                  records
 *   close   [FLUSH] │ EOS │ footer
 *           device state, 00, description: as in an image
 * ```
 *
 * With multifd, FLUSH stands for a sync of all channels (machine types 8.1 and later); in older machine types the EOS of
 * every section does, and there is no FLUSH at all. Without multifd there is neither.
 *
 * @since 0.1.0
 */
import { ByteWriter } from "../internal/byteWriter.ts"
import * as MigrationStream from "./MigrationStream.ts"
import type { AnnouncedBlock } from "./SocketStream.ts"

/**
 * The record that marks a sync of all channels.
 *
 * @stability unstable
 * @category encoding
 * @since 0.1.0
 */
export const encodeFlush = (): Uint8Array => MigrationStream.encodeRamRecord(MigrationStream.RamFlag.multifdFlush)

/**
 * The beginning of the stream: file header, the configuration without the capability `mapped-ram`, which a connection
 * cannot have, and the sections in front of RAM's START.
 *
 * @stability unstable
 * @category encoding
 * @since 0.1.0
 */
export const encodeHead = (options: {
  /** `undefined` where the section is left out (`send-configuration=off`). */
  readonly configuration: MigrationStream.Configuration | undefined
  /** Commands and device sections in front of RAM's START. */
  readonly prelude?: Uint8Array | undefined
}): Uint8Array => {
  const { configuration, prelude = new Uint8Array(0) } = options
  const out = new ByteWriter().append(MigrationStream.encodeFileHeader())
  if (configuration !== undefined) {
    const withoutFile = MigrationStream.withCapability(configuration, "mapped-ram", false)
    out.append(MigrationStream.encodeConfiguration(withoutFile))
  }
  return out.append(prelude).finish()
}

/**
 * How a section of RAM ends.
 *
 * @stability unstable
 * @category models
 * @since 0.1.0
 */
export interface Ending {
  readonly sectionId: number
  /** Whether a FLUSH stands in front of the end of the records. Default `false`. */
  readonly flush?: boolean | undefined
  /** Whether sections end with a footer. Default `true`. */
  readonly footers?: boolean | undefined
}

/**
 * RAM's START, whole: the list of blocks, which entries with an address if the configuration lists `x-ignore-shared`.
 *
 * @stability unstable
 * @category encoding
 * @since 0.1.0
 */
export const encodeStart = (
  options: Ending & {
    readonly blocks: ReadonlyArray<AnnouncedBlock>
    /** Whether entries have an address: where the configuration lists `x-ignore-shared`. Default `false`. */
    readonly addresses?: boolean | undefined
  }
): Uint8Array => {
  const { addresses = false, blocks, sectionId } = options
  const { RAM_VERSION, RamFlag } = MigrationStream
  const total = blocks.reduce((sum, block) => sum + block.usedLength, 0)
  const out = new ByteWriter()
    .append(
      MigrationStream.encodeSectionHeader({
        type: "start",
        sectionId,
        name: "ram",
        instanceId: 0,
        version: RAM_VERSION
      })
    )
    .append(MigrationStream.encodeRamRecord(RamFlag.memSize, total))
  for (const { address = 0, idstr, usedLength } of blocks) {
    out.str8(idstr).u64(usedLength)
    if (addresses) out.u64(address)
  }
  return out.append(encodeClose(options)).finish()
}

/**
 * What opens a PART or the END of RAM, in front of its records.
 *
 * @stability unstable
 * @category encoding
 * @since 0.1.0
 */
export const encodeOpen = (type: "part" | "end", sectionId: number): Uint8Array =>
  MigrationStream.encodeSectionHeader({ type, sectionId })

/**
 * What closes a section of RAM, behind its records.
 *
 * @stability unstable
 * @category encoding
 * @since 0.1.0
 */
export const encodeClose = ({ flush = false, footers = true, sectionId }: Ending): Uint8Array => {
  const out = new ByteWriter()
  if (flush) out.append(encodeFlush())
  out.append(MigrationStream.encodeRamRecord(MigrationStream.RamFlag.endOfSection))
  if (footers) out.append(MigrationStream.encodeFooter(sectionId))
  return out.finish()
}
