/**
 * A destination that keeps what it is sent, answers as it is told, and takes the recorded connections apart afterwards:
 * epoch by epoch, as `multifd-wire` has it, and strictly.
 */
import { assert } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Latch from "effect/Latch"
import type * as Scope from "effect/Scope"
import { Buffer } from "node:buffer"
import { Codecs } from "../../../src/compression/Codecs.ts"
import type { CompressionMethod, Method } from "../../../src/compression/Compression.ts"
import { flags } from "../../../src/compression/Compression.ts"
import * as MigrationStream from "../../../src/format/stream/MigrationStream.ts"
import * as ReturnPath from "../../../src/format/stream/ReturnPath.ts"
import type * as SocketStream from "../../../src/format/stream/SocketStream.ts"
import type { Connection } from "../../../src/io/sockets/Connection.ts"
import * as Listener from "../../../src/io/sockets/Listener.ts"
import type { SocketAddress } from "../../../src/io/sockets/SocketAddress.ts"
import { StateEnd } from "../../../src/multifd/internal/stateEnd.ts"
import * as SocketStreams from "./socketStreams.ts"
import * as Wire from "./channel.ts"

const isMain = (bytes: Buffer): boolean => bytes.length >= 4 && bytes.readUInt32BE(0) === MigrationStream.MAGIC

/** What was recorded so far. */
export interface Destination {
  readonly main: () => Buffer
  /** In the order in which they came. */
  readonly channels: () => ReadonlyArray<Buffer>
}

/** Where it listens, and what it says when everything has arrived. */
export interface Options {
  readonly address: SocketAddress
  /** How many channels have to end before it answers. */
  readonly channels: number
  /** Default: a SHUT 0. */
  readonly answer?: Uint8Array | undefined
}

/** Whether a main channel is all there: behind the description the sender waits for the answer. */
const isWhole = (main: Buffer): boolean => {
  const end = new StateEnd()
  end.push(SocketStreams.read(main, { ends: false }).rest)
  return end.isComplete
}

const readAll = Effect.fnUntraced(function* (connection: Connection, into: Array<Buffer>) {
  const buffer = Buffer.alloc(16 * 1024)
  for (;;) {
    const count = yield* connection.readSome(buffer)
    if (count === 0) return
    into.push(Buffer.from(buffer.subarray(0, count)))
    if (buffer[count - 1] === 0x7d && isMain(Buffer.concat(into)) && isWhole(Buffer.concat(into))) return
  }
})

/** Listens until the scope ends. When a channel breaks, the main one is closed without an answer. */
export const listen = ({
  address,
  channels,
  answer = ReturnPath.encode({ _tag: "Shut", value: 0 })
}: Options): Effect.Effect<Destination, unknown, Scope.Scope> =>
  Effect.gen(function* () {
    const listener = yield* Listener.make({ address })
    const recorded: Array<Array<Buffer>> = []
    const isDecided = yield* Latch.make(channels === 0)
    let missing = channels
    let hasBroken = false
    const ended = (exit: Exit.Exit<unknown, unknown>): void => {
      if (Exit.isFailure(exit)) hasBroken = true
      if (--missing === 0 || hasBroken) isDecided.openUnsafe()
    }
    const serve = Effect.fnUntraced(function* (connection: Connection) {
      const pieces: Array<Buffer> = []
      recorded.push(pieces)
      const exit = yield* Effect.exit(readAll(connection, pieces))
      if (!isMain(Buffer.concat(pieces))) return ended(exit)
      yield* isDecided.await
      if (!hasBroken) yield* connection.write([answer])
      yield* connection.end
    })
    const next = Effect.flatMap(listener.accept, (connection) => Effect.forkScoped(Effect.ignore(serve(connection))))
    yield* Effect.forkScoped(Effect.forever(Effect.ignore(next)), { startImmediately: true })
    const all = () => recorded.map((pieces) => Buffer.concat(pieces))
    return {
      main: () => all().find(isMain) ?? Buffer.alloc(0),
      channels: () => all().filter((bytes) => !isMain(bytes))
    }
  })

/** How many zero pages each packet on a channel lists. */
export const zeroCounts = ({ channels }: Destination, pageSize: number, method: Method): ReadonlyArray<number> =>
  channels().flatMap((bytes) => Wire.read(bytes, pageSize, flags[method]).packets.map(({ zero }) => zero.length))

/** What a complete migration amounts to. */
export interface Machine {
  readonly configuration: Extract<SocketStream.Event, { readonly _tag: "Configuration" }>["configuration"]
  readonly commands: ReadonlyArray<string>
  readonly announced: ReadonlyArray<SocketStream.AnnouncedBlock>
  /** By `idstr`, full of 0xee where nothing was sent. */
  readonly ram: ReadonlyMap<string, Buffer>
  /** Behind RAM's END. */
  readonly rest: Buffer
  /** Syncs of all channels, and how many of them a FLUSH said. */
  readonly marks: number
  readonly flushes: number
  readonly uuids: ReadonlyArray<string>
}

const packetNumbers = (sent: ReadonlyArray<Wire.Sent>): ReadonlyArray<number> =>
  sent.flatMap(({ packets }) => packets.map(({ packetNum }) => packetNum)).toSorted((a, b) => a - b)

/** The payloads of a channel's packets, decompressed in their order. */
const plain = (sent: Wire.Sent, method: Method, pageSize: number) =>
  Effect.gen(function* () {
    if (method === "none") return sent
    const decompressor = yield* (yield* Codecs).get(method satisfies CompressionMethod)!.decompressor
    const packets: Array<Wire.Packet> = []
    for (const packet of sent.packets) {
      const target = Buffer.alloc(packet.normal.length * pageSize)
      if (target.length > 0) yield* decompressor.decompress(packet.payload, target, pageSize)
      packets.push({ ...packet, payload: target })
    }
    return { ...sent, packets }
  }).pipe(Effect.scoped)

/** Cuts a channel at its SYNCs; behind the last one there is nothing. */
const epochsOf = ({ packets }: Wire.Sent): ReadonlyArray<ReadonlyArray<Wire.Packet>> => {
  const epochs: Array<Array<Wire.Packet>> = [[]]
  for (const packet of packets) {
    if (packet.sync) epochs.push([])
    else epochs.at(-1)!.push(packet)
  }
  assert.deepStrictEqual(epochs.pop(), [], "pages behind the last SYNC")
  return epochs
}

/** Puts a recorded migration together. Fails where a real destination would crash, hang or have wrong RAM. */
export const acceptConnections = Effect.fnUntraced(function* (
  { channels, main }: Destination,
  { method = "none", pageSize }: { readonly method?: Method | undefined; readonly pageSize: number }
) {
  const sent = channels().map((bytes) => Wire.read(bytes, pageSize, flags[method]))
  assert.deepStrictEqual(packetNumbers(sent), [...packetNumbers(sent).keys()], "packet numbers have no gaps")
  const ids = sent.map(({ init }) => init.id).toSorted((a, b) => a - b)
  assert.deepStrictEqual(ids, [...ids.keys()])
  const epochs = (yield* Effect.forEach(sent, (channel) => plain(channel, method, pageSize))).map(epochsOf)

  const ram = new Map<string, Buffer>()
  const state: { -readonly [Key in keyof Machine]: Machine[Key] } = {
    configuration: undefined,
    commands: [],
    announced: [],
    ram,
    rest: Buffer.alloc(0),
    marks: 0,
    flushes: 0,
    uuids: sent.map(({ init }) => Buffer.from(init.uuid).toString("hex"))
  }
  const zero = (idstr: string, offset: number, length: number) => ram.get(idstr)!.fill(0, offset, offset + length)
  const store = ({ idstr, normal, payload, zero: zeros }: Wire.Packet): void => {
    for (const [i, offset] of Array.from(normal).entries()) {
      payload.copy(ram.get(idstr)!, offset, i * pageSize, (i + 1) * pageSize)
    }
    for (const offset of Array.from(zeros)) zero(idstr, offset, pageSize)
  }
  const mark = (): void => {
    for (const channel of epochs) {
      assert.isDefined(channel[state.marks], `mark ${state.marks} without a SYNC`)
      channel[state.marks]!.forEach(store)
    }
    if (state.marks === 0)
      assert.isTrue(
        epochs.every((channel) => channel[0]!.length === 0),
        "pages before RAM is set up"
      )
    state.marks++
  }
  const handle = (event: SocketStream.Event): void => {
    switch (event._tag) {
      case "Configuration":
        state.configuration = event.configuration
        break
      case "Command":
        state.commands = [...state.commands, event.command]
        break
      case "Blocks":
        state.announced = event.blocks
        for (const { idstr, usedLength } of event.blocks) ram.set(idstr, Buffer.alloc(usedLength, 0xee))
        break
      case "Pages":
        for (const { bytes, offset } of event.extents) ram.get(event.idstr)!.set(bytes, offset)
        break
      case "Zeros":
        for (const { length, offset } of event.extents) zero(event.idstr, offset, length)
        break
      case "Flush":
        state.flushes++
        mark()
        break
      case "SectionEnd":
        if (event.isMark && epochs.length > 0) mark()
        break
      default:
        break
    }
  }
  const { finding, rest } = SocketStreams.read(main(), { onEvent: handle, pageSize })
  assert.isUndefined(finding?.message)
  for (const channel of epochs) assert.lengthOf(channel, state.marks, "as many SYNCs as marks")
  return { ...state, rest: Buffer.from(rest) } satisfies Machine
})
