import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as MultifdPacket from "../../src/format/multifd/MultifdPacket.ts"
import type { Connection } from "../../src/io/sockets/Connection.ts"
import * as Epochs from "../../src/multifd/Epochs.ts"
import type { PageSink } from "../../src/transfer/PageSink.ts"
import * as ReceiveChannel from "../../src/multifd/ReceiveChannel.ts"
import * as PageRuns from "../../src/ram/PageRuns.ts"
import { whileMillisPass } from "../support/time.ts"

const PAGE = 4096

const packet = (packetNum: number, normal: ReadonlyArray<number>, zero: ReadonlyArray<number>) =>
  MultifdPacket.encodeRam(
    { sync: false, method: 0, packetNum, idstr: "m", normal, zero, payloadLength: normal.length * PAGE },
    PAGE
  )

/** A page of data and a zero page; and then data for the page that was zero. */
const sent = Buffer.concat([
  packet(1, [0], [PAGE]),
  Buffer.alloc(PAGE, 0x11),
  packet(2, [PAGE], []),
  Buffer.alloc(PAGE, 0x22)
])

/** Where pages are stored from: memory they lie in already, a buffer of their own, or where they arrived. */
type From = "memory" | "buffer" | "arrival"

/** Receives the packets into memory, and says in which order pages came and were stored. */
const receive = Effect.fnUntraced(function* (from: From) {
  const isDirect = from === "memory"
  const memory = new Uint8Array(2 * PAGE).fill(0xee)
  const events: Array<string> = []
  let at = 0
  const take = (target: Uint8Array): void => {
    target.set(sent.subarray(at, at + target.length))
    at += target.length
    if (target.length === PAGE) events.push("came")
  }
  const connection: Pick<Connection, "peer" | "read" | "readSome"> = {
    peer: "test",
    read: (targets) => Effect.sync(() => targets.forEach(take)),
    // Never more than up to the end of the first packet.
    readSome: (target) =>
      Effect.sync(() => {
        const until = at < sent.length / 2 ? sent.length / 2 : sent.length
        const bytes = Math.min(target.length, until - at)
        if (bytes > PAGE) events.push("came")
        take(target.subarray(0, bytes))
        return bytes
      })
  }
  const sink: PageSink = {
    idstr: "m",
    usedLength: 2 * PAGE,
    pageSize: PAGE,
    coalescePages: 0,
    takesUnaligned: from === "arrival",
    view: isDirect ? (offset, length) => memory.subarray(offset, offset + length) : undefined,
    read: undefined,
    store: ({ extents, zero }) =>
      Effect.delay(
        Effect.sync(() => {
          if (!isDirect) for (const { bytes, offset } of extents) memory.set(bytes, offset)
          PageRuns.forEach(zero, (first, count) => memory.fill(0, first * PAGE, (first + count) * PAGE))
          events.push("stored")
        }),
        10
      )
  }
  yield* ReceiveChannel.run({
    id: 0,
    connection: connection as Connection,
    pageSize: PAGE,
    sinks: new Map([["m", sink]]),
    // All blocks are known, and there is no other channel to wait for.
    epochs: { ...Epochs.make("test", 1), pages: () => Effect.void, end: () => Effect.void },
    watchdog: { alive: () => undefined, working: (self) => self },
    maxPayload: MultifdPacket.MAX_PAYLOAD_BYTES
  }).pipe(whileMillisPass)
  return { pages: [memory[0], memory[PAGE]], events }
})

const how = { buffer: "from a buffer of its own", arrival: "from where it arrived" }

describe("a receiving channel", () => {
  it.effect("stores what lies in its place already before it reads the next packet over it", () =>
    Effect.gen(function* () {
      const { events, pages } = yield* receive("memory")
      assert.deepStrictEqual(pages, [0x11, 0x22])
      assert.deepStrictEqual(events, ["came", "stored", "came", "stored"])
    })
  )

  for (const from of ["buffer", "arrival"] as const) {
    it.effect(`reads the next packet while it stores the one before, ${how[from]}`, () =>
      Effect.gen(function* () {
        const { events, pages } = yield* receive(from)
        assert.deepStrictEqual(pages, [0x11, 0x22])
        assert.deepStrictEqual(events, ["came", "came", "stored", "stored"])
      })
    )
  }
})
