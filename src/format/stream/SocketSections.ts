/**
 * The sections around the pages on the main channel of a socket migration.
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
 * With multifd, FLUSH marks a sync of all channels (machine types 8.1 and later). In older machine types the EOS of
 * every section marks it, and there is no FLUSH. Without multifd there is neither.
 *
 * @since 0.1.0
 */
import { ByteWriter } from "../internal/byteWriter.ts"
import * as MigrationStream from "./MigrationStream.ts"
import type { AnnouncedBlock } from "./SocketStream.ts"

/**
 * Encodes the record that marks a sync of all channels.
 *
 * @stability unstable
 * @category encoding
 * @since 0.1.0
 */
export const encodeFlush = (): Uint8Array => MigrationStream.encodeRamRecord(MigrationStream.RamFlag.multifdFlush)

/**
 * Encodes the start of the stream: file header, configuration without the capability `mapped-ram`, which a connection
 * cannot have, and the sections before RAM's START.
 *
 * @stability unstable
 * @category encoding
 * @since 0.1.0
 */
export const encodeHead = (options: {
  /** `undefined` leaves the section out (`send-configuration=off`). */
  readonly configuration: MigrationStream.Configuration | undefined
  /** Commands and device sections before RAM's START. */
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
 * The end of a RAM section.
 *
 * @stability unstable
 * @category models
 * @since 0.1.0
 */
export interface Ending {
  readonly sectionId: number
  /** `true` to write a FLUSH before the end of the records. Default `false`. */
  readonly flush?: boolean | undefined
  /** `true` if sections end with a footer. Default `true`. */
  readonly footers?: boolean | undefined
}

/**
 * The pages that a destination of a postcopy migration maps a block with.
 *
 * @stability unstable
 * @category models
 * @since 0.1.0
 */
export interface HostPages {
  /** Bytes; only after ADVISE, and only for blocks on other pages than the host's usual 4096. Default: left out. */
  readonly hostPageSize?: number | undefined
}

/**
 * Encodes the complete RAM START: the list of blocks, with addresses in its entries if the configuration lists
 * `x-ignore-shared`.
 *
 * @stability unstable
 * @category encoding
 * @since 0.1.0
 */
export const encodeStart = (
  options: Ending & {
    readonly blocks: ReadonlyArray<AnnouncedBlock & HostPages>
    /** `true` if entries have an address, as with `x-ignore-shared` in the configuration. Default `false`. */
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
  for (const { address = 0, hostPageSize, idstr, usedLength } of blocks) {
    out.str8(idstr).u64(usedLength)
    if (hostPageSize !== undefined) out.u64(hostPageSize)
    if (addresses) out.u64(address)
  }
  return out.append(encodeClose(options)).finish()
}

/**
 * Encodes the header of a PART or the END of RAM, before its records.
 *
 * @stability unstable
 * @category encoding
 * @since 0.1.0
 */
export const encodeOpen = (type: "part" | "end", sectionId: number): Uint8Array =>
  MigrationStream.encodeSectionHeader({ type, sectionId })

/**
 * Encodes the end of a RAM section, after its records.
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
