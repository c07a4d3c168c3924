import * as Invariant from "../../../ram/Invariant.ts"
import * as Finding from "../../Finding.ts"
import type { AnnouncedBlock, Event, Extent, ZeroExtent } from "./socketStreamModel.ts"
import { ENCODING } from "../Xbzrle.ts"
import { RamFlag } from "../../internal/constants.ts"
import { decodeText } from "../../internal/cursor.ts"
import { FLAG_MASK } from "./framing.ts"
import { getU64 } from "../../multifd/internal/packetFields.ts"
import type { StreamWindow } from "./streamWindow.ts"

/** Consecutive records of one block, and the position in the stream after the last. @internal */
export interface Gathered {
  readonly events: ReadonlyArray<PageEvent>
  readonly end: number
}

type PageEvent = Extract<Event, { readonly _tag: "Pages" | "Changes" | "Zeros" }>

/** A record for a page, with indices into the window. */
interface PageRecord {
  readonly kind: Kind
  readonly block: AnnouncedBlock
  readonly offset: number
  readonly dataStart: number
  readonly end: number
}

type Kind = typeof RamFlag.zero | typeof RamFlag.page | typeof RamFlag.xbzrle

const RECORD_BYTES = 8
const FILL_BYTES = 1
const CHANGES_HEAD_BYTES = 3

const isKind = (flags: number): flags is Kind =>
  flags === RamFlag.zero || flags === RamFlag.page || flags === RamFlag.xbzrle

const isRecord = (read: PageRecord | Finding.Finding | number): read is PageRecord =>
  typeof read !== "number" && !(read instanceof Finding.Finding)

/**
 * Extracts the records of pages from a window. All bytes of a migration without multifd pass through here, so it is
 * plain code over the arrived bytes, without a step per record.
 *
 * If a record is incomplete, the result is the number of bytes, counted from its start, needed to continue. 0 means a
 * record of another kind.
 *
 * @internal
 */
export class PageRecords {
  /** The block of the last record; it outlives the section. */
  private block: AnnouncedBlock | undefined
  private readonly window: StreamWindow
  private readonly blocks: ReadonlyMap<string, AnnouncedBlock>
  private readonly pageSize: number

  constructor(window: StreamWindow, blocks: ReadonlyArray<AnnouncedBlock>, pageSize: number) {
    this.window = window
    this.blocks = new Map(blocks.map((block) => [block.idstr, block]))
    this.pageSize = pageSize
  }

  /**
   * All records from a position that belong to one block and have ascending offsets. Since no page occurs twice, they
   * can be reported kind by kind.
   */
  gather(position: number): Gathered | Finding.Finding | number {
    const first = this.read(this.window.indexOf(position))
    if (!isRecord(first)) return first
    const records: Array<PageRecord> = []
    this.block = first.block
    let next: PageRecord | Finding.Finding | number = first
    let [end, past] = [0, -1]
    while (isRecord(next) && next.block === first.block && next.offset > past) {
      records.push(next)
      past = next.offset
      end = next.end
      next = this.read(end)
    }
    return { events: this.eventsOf(first.block, records), end: this.window.positionOf(end) }
  }

  private eventsOf({ idstr }: AnnouncedBlock, records: ReadonlyArray<PageRecord>): ReadonlyArray<PageEvent> {
    const events: ReadonlyArray<PageEvent> = [
      { _tag: "Pages", idstr, extents: this.extentsOf(RamFlag.page, records) },
      { _tag: "Changes", idstr, extents: this.extentsOf(RamFlag.xbzrle, records) },
      { _tag: "Zeros", idstr, extents: this.zerosOf(records) }
    ]
    return events.filter(({ extents }) => extents.length > 0)
  }

  private extentsOf(wanted: Kind, records: ReadonlyArray<PageRecord>): ReadonlyArray<Extent> {
    const { bytes } = this.window
    const extents: Array<Extent> = []
    for (const { dataStart, end, kind, offset } of records) {
      if (kind === wanted) extents.push({ offset, bytes: bytes.subarray(dataStart, end) })
    }
    return extents
  }

  private zerosOf(records: ReadonlyArray<PageRecord>): ReadonlyArray<ZeroExtent> {
    const extents: Array<{ offset: number; length: number }> = []
    for (const { kind, offset } of records) {
      if (kind !== RamFlag.zero) continue
      const last = extents.at(-1)
      if (last !== undefined && offset === last.offset + last.length) last.length += this.pageSize
      else extents.push({ offset, length: this.pageSize })
    }
    return extents
  }

  private read(at: number): PageRecord | Finding.Finding | number {
    const { end, view } = this.window
    if (at + RECORD_BYTES > end) return RECORD_BYTES
    const flags = view.getUint32(at + 4) & FLAG_MASK
    const kind = flags & ~RamFlag.continue
    if (!isKind(kind)) return 0
    const named = flags === kind ? this.nameEnd(at) : at + RECORD_BYTES
    if (named > end) return named - at
    const block = flags === kind ? this.findBlock(at) : (this.block ?? this.blockMissing(at))
    if (block instanceof Finding.Finding) return block
    const offset = getU64(view, at) - flags
    return this.checkOffset(at, offset, block) ?? this.readData(at, kind, block, offset, named)
  }

  /** The end of a block's name, or of its length if the name has not arrived. */
  private nameEnd(at: number): number {
    const { bytes, end } = this.window
    const start = at + RECORD_BYTES + 1
    return start > end ? start : start + Invariant.defined(bytes[start - 1], "the length of a name has arrived")
  }

  private readData(
    at: number,
    kind: Kind,
    block: AnnouncedBlock,
    offset: number,
    from: number
  ): PageRecord | Finding.Finding | number {
    const { bytes, end, view } = this.window
    const headEnd = from + headBytes[kind]
    if (headEnd > end) return headEnd - at
    if (kind === RamFlag.zero && bytes[from] !== 0) return this.fillWrong(from, block)
    const length = kind === RamFlag.page ? this.pageSize : kind === RamFlag.zero ? 0 : view.getUint16(from + 1)
    if (kind === RamFlag.xbzrle && (bytes[from] !== ENCODING || length > this.pageSize)) {
      return this.changesWrong(from, block, length)
    }
    const dataEnd = headEnd + length
    return dataEnd > end ? dataEnd - at : { kind, block, offset, dataStart: headEnd, end: dataEnd }
  }

  /** If the stream is out of step, the bytes in place of a name may be guest memory, so they are not quoted. */
  private findBlock(at: number): AnnouncedBlock | Finding.Finding {
    const start = at + RECORD_BYTES + 1
    const bytes = this.window.bytes.subarray(start, this.nameEnd(at))
    const name = decodeText(bytes)
    const block = name === undefined ? undefined : this.blocks.get(name)
    if (block !== undefined) return block
    const found = `a name of ${bytes.length} bytes`
    return this.finding("record-block-unknown", start, undefined, "an announced block", found)
  }

  private blockMissing(at: number): Finding.Finding {
    return this.finding("record-block-missing", at, undefined, "a block's name in an earlier record", "none")
  }

  private checkOffset(at: number, offset: number, { idstr, usedLength }: AnnouncedBlock): Finding.Finding | undefined {
    const last = usedLength - this.pageSize
    if (offset > last) {
      return this.finding("record-offset-out-of-range", at, idstr, `an offset up to ${last}`, String(offset))
    }
    if (offset % this.pageSize === 0) return undefined
    return this.finding("record-offset-misaligned", at, idstr, `a multiple of ${this.pageSize}`, String(offset))
  }

  private fillWrong(at: number, { idstr }: AnnouncedBlock): Finding.Finding {
    return this.finding("record-fill-wrong", at, idstr, "0", String(this.window.bytes[at]))
  }

  private changesWrong(at: number, { idstr }: AnnouncedBlock, length: number): Finding.Finding {
    const expected = `encoding ${ENCODING}, at most ${this.pageSize} bytes`
    const found = `encoding ${this.window.bytes[at]}, ${length} bytes`
    return this.finding("xbzrle-corrupt", at, idstr, expected, found)
  }

  private finding(
    code: Finding.FindingCode,
    at: number,
    block: string | undefined,
    expected: string,
    found: string
  ): Finding.Finding {
    return Finding.make({ code, offset: this.window.positionOf(at), block, expected, found })
  }
}

/** Bytes between the name of the block and the data. */
const headBytes: Readonly<Record<Kind, number>> = {
  [RamFlag.zero]: FILL_BYTES,
  [RamFlag.page]: 0,
  [RamFlag.xbzrle]: CHANGES_HEAD_BYTES
}
