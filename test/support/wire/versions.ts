/**
 * Sources of QEMU's versions that are not at hand, as scripts: each sends exactly what that version sends of a small machine of its
 * own type, and takes what it takes.
 *
 * ```text
 *          marks          in front of END   SYNC packets                 zero pages     SWITCHOVER_START  SWITCHOVER_ACK
 *   8.0    each section   -                 with pages, alloc 128        main channel   -                 is unknown: fails
 *   8.1-2  each round     FLUSH             with pages, alloc 128        main channel   -                 passed over
 *   9.0    each round     FLUSH             alloc 128                    channels       -                 passed over
 *   9.1    each round     SYNC, no FLUSH    alloc 128                    channels       -                 passed over
 *   9.2    each round     SYNC, no FLUSH    all zero                     channels       -                 passed over
 *   11.2   each round     FLUSH             all zero                     channels       yes               counted: fails
 * ```
 *
 * 9.2 was seen with a real 9.2.1, 8.2 with 8.2.2; the rest is from what is known of those versions. 11.2 is the release after 11.1,
 * of which no difference on the wire is known.
 */
import * as MigrationStream from "../../../src/format/stream/MigrationStream.ts"
import * as RamRecords from "../../../src/format/stream/RamRecords.ts"
import * as Sender from "./sender.ts"

/** What of a version shows on the wire. */
export interface Version {
  readonly name: string
  readonly machine: string
  readonly marks: "each-section" | "each-round"
  /** Whether END begins with a mark of its own; a SYNC is sent in any case. */
  readonly marksEnd: boolean
  /** Whether a SYNC packet says how many pages a packet holds. */
  readonly syncAllocates: boolean
  /** Whether pages may travel in a SYNC packet. */
  readonly syncHasPages: boolean
  /** Whether channels know zero pages. */
  readonly zerosOnChannels: boolean
  readonly switchoverStart: boolean
  /** What becomes of a SWITCHOVER_ACK that nobody waits for. */
  readonly acknowledgement: "fails" | "is passed over"
}

const of90: Omit<Version, "name" | "machine"> = {
  marks: "each-round",
  marksEnd: true,
  syncAllocates: true,
  syncHasPages: false,
  zerosOnChannels: true,
  switchoverStart: false,
  acknowledgement: "is passed over"
}
const of81 = { ...of90, syncHasPages: true, zerosOnChannels: false }
const of91 = { ...of90, marksEnd: false }

export const versions: ReadonlyArray<Version> = [
  { ...of81, name: "8.0", machine: "pc-q35-8.0", marks: "each-section", marksEnd: false, acknowledgement: "fails" },
  { ...of81, name: "8.1", machine: "pc-q35-8.1" },
  { ...of81, name: "8.2", machine: "pc-i440fx-noble-v2" },
  { ...of90, name: "9.0", machine: "pc-q35-9.0" },
  { ...of91, name: "9.1", machine: "pc-q35-9.1" },
  { ...of91, name: "9.2", machine: "pc-q35-9.2", syncAllocates: false },
  {
    ...of90,
    name: "11.2",
    machine: "pc-q35-11.2",
    syncAllocates: false,
    switchoverStart: true,
    acknowledgement: "fails"
  }
]

/** How a source is told to migrate. */
export interface Mode {
  /** 0: without multifd. */
  readonly channels: number
  readonly returnPath: boolean
}

export const modes: ReadonlyArray<Mode> = [0, 1, 2].flatMap((channels) =>
  [false, true].map((returnPath) => ({ channels, returnPath }))
)

/** What lies in the first byte of each page of the machine that every script sends. */
export const contents: Readonly<Record<number, number>> = { 0: 0x10, 1: 0x21, 4: 0x50, 5: 0x51 }

const { Command, encodeCommand } = MigrationStream
const PING = Uint8Array.of(0, 0, 0, 1)

/** Page 2 is sent as data first, and zero later; page 3 is always zero. Page 1 changes in between. */
const zeroPages = [2, 3]

const page = (index: number, byte: number) => ({
  offset: index * Sender.PAGE,
  bytes: new Uint8Array(Sender.PAGE).fill(byte)
})

/** Pages and zeros on the main channel. */
const records = RamRecords.make
const zeroExtents = zeroPages.map((index) => ({ offset: index * Sender.PAGE, length: Sender.PAGE }))

const withoutMultifd = (): Sender.Steps => {
  const { pages, zeros } = records()
  return [
    Sender.part(
      ...pages(
        Sender.BLOCK,
        [0, 1, 2].map((index) => page(index, 0x10 + index))
      )
    ),
    Sender.part(...pages(Sender.BLOCK, [page(1, 0x21), page(4, 0x50), page(5, 0x51)]), zeros(Sender.BLOCK, zeroExtents))
  ]
}

const syncPacket = ({ syncAllocates }: Version): Uint8Array =>
  syncAllocates ? Sender.patched(Sender.sync(), 12, 0, 0, 0, 128) : Sender.sync()

/** A channel: what the first round sends, and the second; pages 0, 2, 4 are the first channel's where there are two. */
const lane = (version: Version, id: number, channels: number): Sender.Steps => {
  const isMine = (index: number) => index % channels === id
  const packets = (pages: Readonly<Record<number, number>>) =>
    Object.entries(pages).flatMap(([index, byte]) =>
      isMine(Number(index)) ? [Sender.packet(Number(index), byte)] : []
    )
  const zeros = version.zerosOnChannels
    ? [Sender.header({ normal: [], zero: zeroPages.filter(isMine).map((index) => index * Sender.PAGE) })]
    : []
  const second = packets({ 1: 0x21, 4: 0x50 })
  const last = isMine(5) ? [5 * Sender.PAGE] : []
  const secondSync = version.syncHasPages
    ? [Sender.header({ sync: true, normal: last }), new Uint8Array(last.length * Sender.PAGE).fill(0x51)]
    : [...packets({ 5: 0x51 }), syncPacket(version)]
  return [
    Sender.init(id),
    syncPacket(version),
    ...packets({ 0: 0x10, 1: 0x11, 2: 0x12 }),
    syncPacket(version),
    ...second,
    ...zeros,
    ...secondSync,
    syncPacket(version)
  ]
}

/** Two rounds, each with its mark, or each a section; zero pages of an old sender stand in the second. */
const withMultifd = ({ marks, zerosOnChannels }: Version): Sender.Steps => {
  const mark = marks === "each-round" ? [Sender.flush] : []
  const zeros = zerosOnChannels ? [] : [records().zeros(Sender.BLOCK, zeroExtents)]
  return [Sender.part(...mark), Sender.part(...zeros, ...mark)]
}

/** A whole migration of that version. `heard` gets what the source is told. */
export const source = (version: Version, mode: Mode, heard: (bytes: Uint8Array) => void): Sender.Script => {
  const { channels, returnPath } = mode
  const isMultifd = channels > 0
  const flushes = isMultifd && version.marks === "each-round"
  const opening = returnPath ? [encodeCommand(Command.openReturnPath), encodeCommand(Command.ping, PING)] : []
  const switchover = version.switchoverStart ? [encodeCommand(Command.switchoverStart)] : []
  return {
    main: Sender.main({
      head: [Sender.head({ machine: version.machine }), ...opening],
      start: [Sender.start(flushes)],
      records: isMultifd ? withMultifd(version) : withoutMultifd(),
      end: [...switchover, Sender.ramEnd(flushes && version.marksEnd)],
      // Without a return path a source closes when it is done; with one it waits for its answer.
      description: [Sender.description, ...(returnPath ? ["hear" as const] : [])]
    }),
    lanes: Array.from({ length: channels }, (_, id) => lane(version, id, channels)),
    heard
  }
}
