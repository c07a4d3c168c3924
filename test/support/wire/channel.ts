/** A connection that leads nowhere and keeps what is written to it, and what a channel's bytes say. */
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import { Buffer } from "node:buffer"
import * as MultifdInit from "../../../src/format/multifd/MultifdInit.ts"
import * as MultifdPacket from "../../../src/format/multifd/MultifdPacket.ts"
import type { Connection } from "../../../src/io/sockets/Connection.ts"
import { ConnectionLostError } from "../../../src/io/sockets/ConnectionError.ts"

export interface Wire {
  readonly connection: Connection
  /** Everything that was written, as it was at the time. */
  readonly bytes: () => Buffer
  /** The parts of each write. */
  readonly writes: ReadonlyArray<ReadonlyArray<Uint8Array>>
  /** Whether our side was ended. */
  readonly isEnded: () => boolean
}

const PEER = "tcp:10.0.0.1:4444"

/** How the connection behaves. */
export interface Options {
  /** The number of the write that breaks it, from 0. */
  readonly breaksAt?: number | undefined
  /** Runs in every write, before it is done. */
  readonly during?: Effect.Effect<void> | undefined
}

export const make = ({ breaksAt = Infinity, during = Effect.void }: Options = {}): Wire => {
  const writes: Array<ReadonlyArray<Uint8Array>> = []
  const copies: Array<Buffer> = []
  let ended = false
  const unread = Effect.die("nobody reads it")
  const lost = (operation: "write" | "end") => new ConnectionLostError({ peer: PEER, operation, code: "ECONNRESET" })
  return {
    writes,
    bytes: () => Buffer.concat(copies),
    isEnded: () => ended,
    connection: {
      peer: PEER,
      read: () => unread,
      readOrEnd: () => unread,
      readSome: () => unread,
      write: (parts) =>
        Effect.suspend(() => {
          if (writes.length === breaksAt) return Effect.fail(lost("write"))
          writes.push(parts)
          copies.push(Buffer.concat(parts))
          return during
        }),
      end: Effect.suspend(() => {
        if (writes.length >= breaksAt) return Effect.fail(lost("end"))
        ended = true
        return Effect.void
      }),
      bytesRead: 0,
      get bytesWritten() {
        return copies.reduce((sum, { length }) => sum + length, 0)
      }
    }
  }
}

/** A packet and its payload. */
export interface Packet extends MultifdPacket.RamPacket {
  readonly payload: Buffer
}

/** What a channel sent. */
export interface Sent {
  readonly init: MultifdInit.Init
  readonly packets: ReadonlyArray<Packet>
}

/** Takes the bytes of a channel apart. Throws where they are none of a real channel. */
export const read = (bytes: Buffer, pageSize: number, method = 0): Sent => {
  const packets: Array<Packet> = []
  const headerLength = MultifdPacket.headerLength(pageSize)
  let at = MultifdInit.LENGTH
  while (at < bytes.length) {
    const decoded = MultifdPacket.decodeRam(bytes.subarray(at, at + headerLength), { pageSize, method, position: at })
    const packet = Result.getOrThrow(decoded)
    at += headerLength
    const payload = bytes.subarray(at, at + packet.payloadLength)
    if (payload.length < packet.payloadLength) throw new Error("the payload is cut short")
    packets.push({ ...packet, payload })
    at += payload.length
  }
  return { init: Result.getOrThrow(MultifdInit.decode(bytes)), packets }
}
