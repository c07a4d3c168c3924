/**
 * Applies a migration to memory, as a receiver does: pages of the main channel as they come, and those of the channels
 * epoch by epoch.
 */
import { assert } from "@effect/vitest"
import * as Result from "effect/Result"
import * as Zlib from "node:zlib"
import type { Event } from "../../../src/format/stream/SocketStream.ts"
import * as Xbzrle from "../../../src/format/stream/Xbzrle.ts"
import * as Fixtures from "../wire/captured.ts"
import * as Streams from "../wire/socketStreams.ts"

const PAGE = 4096

/** RAM, by block. */
export type Ram = Map<string, Uint8Array>

const pageAt = (ram: Ram, idstr: string, offset: number): Uint8Array => ram.get(idstr)!.subarray(offset, offset + PAGE)

/** Applies an event that is about pages; others change nothing. */
export const apply = (ram: Ram, event: Event): void => {
  if (event._tag === "Blocks") {
    for (const { idstr, usedLength } of event.blocks) ram.set(idstr, new Uint8Array(usedLength))
  } else if (event._tag === "Zeros") {
    for (const { length, offset } of event.extents) ram.get(event.idstr)!.fill(0, offset, offset + length)
  } else if (event._tag === "Pages") {
    for (const { bytes, offset } of event.extents) ram.get(event.idstr)!.set(bytes, offset)
  } else if (event._tag === "Changes") {
    for (const { bytes, offset } of event.extents) {
      const page = pageAt(ram, event.idstr, offset)
      Result.getOrThrow(Xbzrle.decode(page, bytes, page))
    }
  }
}

/** One stream for all payloads of a channel, never ended. */
const decompress: Partial<Record<Fixtures.Name, (bytes: Uint8Array) => Uint8Array>> = {
  zlib: (bytes) => Zlib.inflateSync(bytes, { finishFlush: Zlib.constants.Z_SYNC_FLUSH }),
  zstd: (bytes) => Zlib.zstdDecompressSync(bytes, { finishFlush: Zlib.constants.ZSTD_e_flush })
}

/** A channel of a capture: its packets up to each SYNC, and the pages that they bring. */
class Channel {
  private readonly packets: ReadonlyArray<Fixtures.Packet>
  private readonly data: Uint8Array
  private next = 0
  private used = 0

  constructor(name: Fixtures.Name, bytes: Uint8Array) {
    this.packets = Fixtures.packets(name, bytes)
    const payload = Buffer.concat(this.packets.map(({ payload }) => payload))
    this.data = decompress[name]?.(payload) ?? payload
  }

  get isDone(): boolean {
    return this.next === this.packets.length && this.used === this.data.length
  }

  passEpoch(ram: Ram): void {
    for (;;) {
      const { packet } = this.packets[this.next++]!
      for (const offset of Array.from(packet.normal)) {
        pageAt(ram, packet.idstr, offset).set(this.data.subarray(this.used, (this.used += PAGE)))
      }
      for (const offset of Array.from(packet.zero)) pageAt(ram, packet.idstr, offset).fill(0)
      if (packet.sync) return
    }
  }
}

const isMark = (event: Event): boolean => event._tag === "Flush" || (event._tag === "SectionEnd" && event.isMark)

/** The RAM at the end of a captured migration. */
export const run = (name: Fixtures.Name, channels: ReadonlyArray<Uint8Array> = []): Ram => {
  const ram: Ram = new Map()
  const running = channels.map((bytes) => new Channel(name, bytes))
  const { finding } = Streams.read(Fixtures.main(name), {
    onEvent: (event) => {
      apply(ram, event)
      if (isMark(event)) for (const channel of running) channel.passEpoch(ram)
    }
  })
  assert.isUndefined(finding)
  assert.isTrue(running.every((channel) => channel.isDone))
  return ram
}
