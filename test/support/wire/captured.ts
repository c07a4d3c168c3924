/**
 * Migrations that a real QEMU sent; `test/fixtures/multifd/README.md` says how.
 */
import { assert } from "@effect/vitest"
import * as Result from "effect/Result"
import * as Fs from "node:fs"
import * as Path from "node:path"
import * as Zlib from "node:zlib"
import * as MultifdInit from "../../../src/format/multifd/MultifdInit.ts"
import * as MultifdPacket from "../../../src/format/multifd/MultifdPacket.ts"
import * as GuestRam from "../guests/capturedRam.ts"

const folder = Path.resolve(import.meta.dirname, "../../fixtures/multifd")

/** Those with channels. */
export const withChannels = ["none", "zlib", "zstd", "legacy", "no-detection", "per-section", "rounds"] as const

/** Those without. */
export const withoutChannels = ["xbzrle", "plain", "return-path", "uuid", "ignore-shared"] as const

/** The name of a capture. */
export type Name = (typeof withChannels)[number] | (typeof withoutChannels)[number]

const load = (file: string): Uint8Array => new Uint8Array(Zlib.gunzipSync(Fs.readFileSync(Path.join(folder, file))))

/** The whole main connection. */
export const main = (name: Name): Uint8Array => load(`${name}.main.gz`)

/** Each whole channel, by id. */
export const channels = (name: Name): ReadonlyArray<Uint8Array> => [0, 1].map((id) => load(`${name}.channel${id}.gz`))

/** The block "ram" at the end of the migration. */
export const ram = (name: Name): Uint8Array =>
  Fs.existsSync(Path.join(folder, `${name}.ram.gz`)) ? load(`${name}.ram.gz`) : GuestRam.initial()

/** A packet of a capture, with its header and payload. */
export interface Packet {
  readonly packet: MultifdPacket.RamPacket
  readonly header: Uint8Array
  readonly payload: Uint8Array
}

const methods: Partial<Record<Name, number>> = { zlib: 0x02, zstd: 0x04 }

/** The packets of a channel, up to its end. */
export const packets = (name: Name, channel: Uint8Array): ReadonlyArray<Packet> => {
  const found: Array<Packet> = []
  const length = MultifdPacket.headerLength(4096)
  for (let at = MultifdInit.LENGTH; at < channel.length;) {
    const header = channel.subarray(at, at + length)
    const options = { pageSize: 4096, method: methods[name], position: at }
    const packet = Result.getOrThrow(MultifdPacket.decodeRam(header, options))
    const payload = channel.subarray(at + length, at + length + packet.payloadLength)
    assert.strictEqual(payload.length, packet.payloadLength)
    found.push({ packet, header, payload })
    at += length + packet.payloadLength
  }
  return found
}
