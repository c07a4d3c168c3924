/**
 * A sender that says what a test wants it to say, over connections of its own: everything that an honest one would, unless
 * a test changes it.
 */
import * as Effect from "effect/Effect"
import * as Scope from "effect/Scope"
import * as Description from "../../../src/format/devices/Description.ts"
import * as DeviceState from "../../../src/format/devices/DeviceState.ts"
import * as MigrationStream from "../../../src/format/stream/MigrationStream.ts"
import * as MultifdInit from "../../../src/format/multifd/MultifdInit.ts"
import * as MultifdPacket from "../../../src/format/multifd/MultifdPacket.ts"
import * as SocketSections from "../../../src/format/stream/SocketSections.ts"
import * as Connection from "../../../src/io/sockets/Connection.ts"
import type { SocketAddress } from "../../../src/io/sockets/SocketAddress.ts"

export const PAGE = 4096
export const PAGES = 16
export const BLOCK = { idstr: "m", usedLength: PAGES * PAGE, pageSize: PAGE }
export const HEADER = MultifdPacket.headerLength(PAGE)
const SECTION_ID = 1

/** What a connection does next. At the end of its steps it ends its side, and stays until the peer has ended, too. */
export type Step =
  | Uint8Array
  /** Says nothing more, for ever. */
  | "stay"
  /** Closes, without waiting for anything. */
  | "close"
  /** Waits for the end of the peer before it goes on. */
  | "hear"
  /** Says nothing for so long. */
  | { readonly pause: number }
  /** The bytes one by one, this far apart. */
  | { readonly drip: Uint8Array; readonly millis: number }
  /** The same bytes for ever. */
  | { readonly forever: Uint8Array }

export type Steps = ReadonlyArray<Step>

/** What everybody says, in the order in which they connect. */
export interface Script {
  readonly main: Steps
  readonly lanes: ReadonlyArray<Steps>
  /** Connections that a migration has no use for. */
  readonly others?: ReadonlyArray<Steps>
  /** Told what the receiver says on the main channel, once that only listens (`hear`, or at its end). */
  readonly heard?: (bytes: Uint8Array) => void
}

const concat = (...parts: ReadonlyArray<Uint8Array>): Uint8Array => new Uint8Array(Buffer.concat(parts))

export const head = (configuration: Partial<MigrationStream.Configuration> = {}): Uint8Array =>
  SocketSections.encodeHead({ configuration: { machine: "pc-i440fx-10.0", capabilities: [], ...configuration } })

export const start = (flush = true): Uint8Array =>
  SocketSections.encodeStart({ sectionId: SECTION_ID, blocks: [BLOCK], flush })

/** RAM's START with any records in the place of the list of blocks. */
export const startWith = (...records: ReadonlyArray<Uint8Array>): Uint8Array =>
  concat(
    MigrationStream.encodeSectionHeader({
      type: "start",
      sectionId: SECTION_ID,
      name: "ram",
      instanceId: 0,
      version: 4
    }),
    ...records,
    SocketSections.encodeClose({ sectionId: SECTION_ID })
  )

export const part = (...records: ReadonlyArray<Uint8Array>): Uint8Array =>
  concat(
    SocketSections.encodeOpen("part", SECTION_ID),
    ...records,
    SocketSections.encodeClose({ sectionId: SECTION_ID })
  )

export const ramEnd = (flush = true): Uint8Array =>
  concat(SocketSections.encodeOpen("end", SECTION_ID), SocketSections.encodeClose({ sectionId: SECTION_ID, flush }))

export const flush = SocketSections.encodeFlush()

const sections = [{ name: "cpu", instanceId: 0, version: 1, data: new Uint8Array(300).fill(7) }]

export const state = DeviceState.encode(sections)

/** The end of the stream, and a description of the device state with these sections in front. */
export const describe = (early: ReadonlyArray<DeviceState.SectionInput>): Uint8Array => {
  const json = Description.describe([...early, ...sections])
  return concat(Uint8Array.of(0), MigrationStream.encodeDescriptionHeader(json.length), json)
}

export const description = describe([])

export const init = (id: number, uuid: Uint8Array = MultifdInit.noUuid()): Uint8Array =>
  MultifdInit.encode({ id, uuid })

/** Numbers need not rise; they only must not fall. */
export const sync = (packetNum = 0): Uint8Array => MultifdPacket.encodeSync(packetNum, PAGE)

/** The header of a packet with these pages. */
export const header = (fields: Partial<MultifdPacket.RamPacket> = {}): Uint8Array => {
  const { normal = [0] } = fields
  return MultifdPacket.encodeRam(
    {
      sync: false,
      method: 0,
      packetNum: 0,
      idstr: BLOCK.idstr,
      normal,
      zero: [],
      payloadLength: normal.length * PAGE,
      ...fields
    },
    PAGE
  )
}

/** A whole packet of one page, full of a byte. */
export const packet = (page: number, byte: number): Uint8Array =>
  concat(header({ normal: [page * PAGE] }), new Uint8Array(PAGE).fill(byte))

/** The same bytes but for some. */
export const patched = (bytes: Uint8Array, at: number, ...values: ReadonlyArray<number>): Uint8Array => {
  const copy = Uint8Array.from(bytes)
  copy.set(values, at)
  return copy
}

/** What a main channel says, from the first byte to the last. */
export const main = (
  parts: { readonly [Name in "head" | "start" | "records" | "end" | "state" | "description"]?: Steps } = {}
): Steps => [
  ...(parts.head ?? [head()]),
  ...(parts.start ?? [start()]),
  ...(parts.records ?? [part()]),
  ...(parts.end ?? [ramEnd()]),
  ...(parts.state ?? [state]),
  ...(parts.description ?? [description])
]

/** What a channel says: one page of its own, between its two SYNCs. */
export const lane = (id: number, pages: Steps = [packet(id, 0x40 + id)]): Steps => [init(id), sync(), ...pages, sync()]

export const honest = (channels: number): Script => ({
  main: main(),
  lanes: Array.from({ length: channels }, (_, id) => lane(id))
})

const drip = (connection: Connection.Connection, bytes: Uint8Array, millis: number) =>
  Effect.forEach(bytes, (byte) => Effect.delay(connection.write([Uint8Array.of(byte)]), millis), { discard: true })

type Heard = NonNullable<Script["heard"]>

const untilEnd = (connection: Connection.Connection, heard: Heard): Effect.Effect<void, unknown> =>
  Effect.suspend(() => {
    const buffer = new Uint8Array(64)
    return Effect.flatMap(connection.readSome(buffer), (count) => {
      if (count === 0) return Effect.void
      heard(buffer.subarray(0, count))
      return untilEnd(connection, heard)
    })
  })

const take = (connection: Connection.Connection, step: Step, heard: Heard): Effect.Effect<void, unknown> => {
  if (step instanceof Uint8Array) return connection.write([step])
  if (step === "stay") return Effect.never
  if (step === "close") return Effect.fail("closed")
  if (step === "hear") return untilEnd(connection, heard)
  if ("pause" in step) return Effect.sleep(step.pause)
  return "drip" in step
    ? drip(connection, step.drip, step.millis)
    : Effect.forever(Effect.andThen(Effect.yieldNow, connection.write([step.forever])))
}

/** What is left unread would turn the end into a reset. */
const speak = (connection: Connection.Connection, steps: Steps, heard: Heard): Effect.Effect<void, unknown> =>
  Effect.forEach(steps, (step) => take(connection, step, heard), { discard: true }).pipe(
    Effect.ensuring(Effect.ignore(Effect.andThen(connection.end, untilEnd(connection, heard))))
  )

const ignore = () => {}

/** Plays a script until everybody has come to an end, one way or another. All connections are there before one speaks. */
export const play = (script: Script, address: SocketAddress): Effect.Effect<void> =>
  Effect.gen(function* () {
    const scope = yield* Effect.scope
    const connect = (steps: Steps) =>
      Effect.gen(function* () {
        const own = yield* Scope.fork(scope)
        return { steps, own, connection: yield* Scope.provide(Connection.connect({ address }), own) }
      })
    const everybody = [script.main, ...script.lanes, ...(script.others ?? [])]
    const all = yield* Effect.forEach(everybody, (steps) => Effect.option(connect(steps)))
    const heardOn = (steps: Steps): Heard => (steps === script.main ? (script.heard ?? ignore) : ignore)
    yield* Effect.forEach(
      all,
      (connected) =>
        connected._tag === "None"
          ? Effect.void
          : Effect.onExit(
              speak(connected.value.connection, connected.value.steps, heardOn(connected.value.steps)),
              (exit) => Scope.close(connected.value.own, exit)
            ).pipe(Effect.ignore),
      { concurrency: "unbounded", discard: true }
    )
  }).pipe(Effect.scoped)
