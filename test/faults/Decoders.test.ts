/**
 * Decoders are total: whatever bytes they are given, they answer with a value or a finding, and throw nothing.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Demand from "../../src/format/Demand.ts"
import * as Description from "../../src/format/Description.ts"
import * as DeviceStatePacket from "../../src/format/DeviceStatePacket.ts"
import * as ImageSeal from "../../src/format/ImageSeal.ts"
import * as ImageStream from "../../src/format/ImageStream.ts"
import * as LibvirtSave from "../../src/format/LibvirtSave.ts"
import * as MappedRam from "../../src/format/MappedRam.ts"
import * as MultifdInit from "../../src/format/MultifdInit.ts"
import * as MultifdPacket from "../../src/format/MultifdPacket.ts"
import * as ReturnPath from "../../src/format/ReturnPath.ts"
import * as Xbzrle from "../../src/format/Xbzrle.ts"
import * as Migration from "../../src/migration/Migration.ts"
import * as MemoryDisk from "../../src/testing/MemoryDisk.ts"
import { machineOf } from "./support/machine.ts"
import { settings } from "./support/settings.ts"

const PAGE = 4096
/** Small numbers and the largest ones are where lengths and offsets go wrong. */
const BYTES = [0, 1, 0x7f, 0x80, 0xff]
const MAX_CHANGES = 8

/** Whole numbers below a bound, the same ones each time. */
const randomFrom = (seed: number) => {
  let state = seed
  return (below: number): number => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return Math.floor((state / 2 ** 32) * below)
  }
}

const packet = (length: number): Uint8Array => {
  const bytes = new Uint8Array(length)
  bytes.set([0x11, 0x22, 0x33, 0x44, 0, 0, 0, 1])
  return bytes
}

const text = (words: string): Uint8Array => new TextEncoder().encode(words)

const image = Effect.gen(function* () {
  const disk = MemoryDisk.make()
  yield* Effect.provide(Migration.make.save({ ...(yield* machineOf(24)), target: "/vm.img" }), disk.layer)
  return disk.read("/vm.img")!
}).pipe(Effect.orDie, Effect.cached, Effect.runSync)

interface Decoder {
  readonly name: string
  /** Something that it understands, or nearly; `undefined`: the beginning of an image. */
  readonly sample: Uint8Array | undefined
  readonly decode: (bytes: Uint8Array) => unknown
}

const header = MultifdPacket.headerLength(PAGE)

const decoders: ReadonlyArray<Decoder> = [
  {
    name: "stream and mapped-ram",
    sample: undefined,
    decode: (bytes) => Demand.runSync(ImageStream.parse({ start: 0, fileSize: bytes.length }), bytes)
  },
  { name: "mapped-ram header", sample: new Uint8Array(28), decode: (bytes) => MappedRam.decodeHeader(bytes) },
  { name: "libvirt", sample: text("LibvirtQemudSave"), decode: (bytes) => Demand.runSync(LibvirtSave.parse(), bytes) },
  { name: "seal", sample: text("effect-multifd seal"), decode: (bytes) => ImageSeal.decode(bytes, 0) },
  { name: "mark", sample: new Uint8Array(ImageSeal.MARK_LENGTH), decode: (bytes) => ImageSeal.decodeMark(bytes, 0) },
  { name: "init", sample: packet(64), decode: MultifdInit.decode },
  { name: "RAM packet", sample: packet(header), decode: (bytes) => MultifdPacket.decodeRam(bytes, { pageSize: PAGE }) },
  { name: "device packet", sample: packet(276), decode: (bytes) => DeviceStatePacket.decode(bytes, {}) },
  { name: "return path", sample: Uint8Array.of(0, 2, 0, 4), decode: (bytes) => ReturnPath.decodeHeader(bytes) },
  {
    name: "xbzrle",
    sample: Uint8Array.of(4, 8, 1, 2, 3, 4, 5, 6, 7, 8),
    decode: (bytes) => Xbzrle.decode(new Uint8Array(PAGE), bytes, new Uint8Array(PAGE))
  },
  { name: "description", sample: text('{"page_size":4096,"devices":[]}'), decode: (bytes) => Description.decode(bytes) }
]

/** Where an image's records are, in front of its pages. */
const HEAD = 400

describe.each(decoders)("$name", ({ decode, sample }) => {
  it.effect(
    "answers whatever it is given",
    () =>
      Effect.gen(function* () {
        const bytes = (sample ?? (yield* image)).slice()
        const changeable = Math.min(bytes.length, sample === undefined ? HEAD : bytes.length)
        const random = randomFrom(bytes.length)
        let cases = 0
        for (; cases < settings.decoderCases; cases++) {
          const arbitrary = random(4) === 0
          const changes = Array.from({ length: arbitrary ? changeable : random(MAX_CHANGES) }, () => random(changeable))
          const former = changes.map((at) => bytes[at]!)
          for (const at of changes) bytes[at] = random(2) === 0 ? BYTES[random(BYTES.length)]! : random(256)
          const given = random(4) === 0 ? bytes.subarray(0, random(changeable + 1)) : bytes
          assert.doesNotThrow(
            () => decode(given),
            undefined,
            `case ${cases}: ${Buffer.from(given.subarray(0, HEAD)).toString("hex")}`
          )
          for (const [index, at] of [...changes.entries()].toReversed()) bytes[at] = former[index]!
        }
        assert.strictEqual(cases, settings.decoderCases)
      }),
    600_000
  )
})
