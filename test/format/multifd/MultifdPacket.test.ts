import { assert, describe, it } from "@effect/vitest"
import * as Arbitrary from "effect/Arbitrary"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import type { Finding } from "../../../src/format/Finding.ts"
import * as MultifdPacket from "../../../src/format/multifd/MultifdPacket.ts"
import * as RamArbitraries from "../../../src/testing/RamArbitraries.ts"
import * as Bytes from "../../support/bytes.ts"
import * as Fixtures from "../../support/wire/captured.ts"
import { between } from "../../support/arbitraries.ts"

const { concat, hex } = Bytes

const pageSize = 4096

const packet: MultifdPacket.RamPacket = {
  sync: false,
  method: 0,
  packetNum: 8,
  idstr: "m",
  normal: [0x300000, 0x301000],
  zero: [0x33e000],
  payloadLength: 8192
}

/** As QEMU lays it out. */
const header = concat(
  hex("11223344 00000001 00000000  00000080 00000002 00002000  0000000000000008  00000001"),
  new Uint8Array(28),
  hex("6d"),
  new Uint8Array(255),
  hex("0000000000300000 0000000000301000 000000000033e000"),
  new Uint8Array(125 * 8)
)

/** A SYNC packet that QEMU 10.0 sent. */
const sync = concat(hex("11223344 00000001 00000001 00000000 00000000 00000000 0000000000000001"), new Uint8Array(1312))

const plain = (packet: MultifdPacket.RamPacket) => ({
  ...packet,
  normal: Array.from(packet.normal),
  zero: Array.from(packet.zero)
})

const decode = (bytes: Uint8Array, options: Partial<MultifdPacket.DecodeOptions> = {}) =>
  MultifdPacket.decodeRam(bytes, { pageSize, ...options })

const codeOf = (result: Result.Result<unknown, Finding>) =>
  Result.isFailure(result) ? result.failure.code : "no finding"

/** The header with other numbers in some of its fields. */
const withFields = (fields: Readonly<Record<number, number>>, of = header) => {
  const copy = of.slice()
  const view = new DataView(copy.buffer)
  for (const [at, value] of Object.entries(fields)) view.setUint32(Number(at), value)
  return copy
}

describe("the header of a RAM packet", () => {
  it("is written as QEMU writes it", () => {
    assert.deepStrictEqual(MultifdPacket.encodeRam(packet, pageSize), header)
    assert.strictEqual(MultifdPacket.headerLength(pageSize), header.length)
  })

  it("is read", () => {
    const result = decode(header)
    assert(Result.isSuccess(result))
    assert.deepStrictEqual(plain(result.success), packet)
  })

  it("is written into memory that was used before", () => {
    const into = new Uint8Array(2000).fill(0xff)
    const written = MultifdPacket.encodeRam(packet, pageSize, into)
    assert.deepStrictEqual(written, header)
    assert.strictEqual(written.buffer, into.buffer)
    assert.isTrue(into.subarray(header.length).every((byte) => byte === 0xff))
  })

  it("takes the room of a packet of 512 KiB, whatever the size of a page", () => {
    assert.deepStrictEqual([1024, 4096, 65536].map(MultifdPacket.pageCapacity), [512, 128, 8])
    assert.deepStrictEqual([1024, 4096, 65536].map(MultifdPacket.headerLength), [4416, 1344, 384])
  })

  for (const name of Fixtures.withChannels) {
    it(`is read from a capture, and written again byte for byte: ${name}`, () => {
      for (const channel of Fixtures.channels(name)) {
        let previous = -1
        for (const { header, packet } of Fixtures.packets(name, channel)) {
          assert.isUndefined(MultifdPacket.checkNumber(packet, previous))
          previous = packet.packetNum
          assert.deepStrictEqual(MultifdPacket.encodeRam(packet, pageSize), header)
        }
      }
    })
  }

  const packets = Arbitrary.all({
    sync: Arbitrary.schema(Schema.Boolean),
    packetNum: between(0, Number.MAX_SAFE_INTEGER),
    idstr: RamArbitraries.idstr,
    pageSize: RamArbitraries.pageSize,
    normal: Arbitrary.array(between(0, 2 ** 40), { maxLength: 20 }),
    zero: Arbitrary.array(between(0, 2 ** 40), { maxLength: 12 }),
    method: between(0, 5)
  })

  it.effect.prop("comes back", { given: packets }, ({ given }) =>
    Effect.sync(() => {
      const { pageSize } = given
      const method = [0x00, 0x02, 0x04, 0x08, 0x10, 0x20][given.method]!
      const [normal, zero] = [given.normal, given.zero].map((pages) => pages.map((page) => page * pageSize))
      const hasPages = normal!.length + zero!.length > 0
      const packet = {
        sync: given.sync,
        method,
        packetNum: given.packetNum,
        idstr: hasPages ? given.idstr : "",
        normal: normal!,
        zero: zero!,
        payloadLength: method === 0 ? normal!.length * pageSize : normal!.length * 17
      }
      const result = MultifdPacket.decodeRam(MultifdPacket.encodeRam(packet, pageSize), { pageSize, method })
      assert(Result.isSuccess(result))
      assert.deepStrictEqual(plain(result.success), packet)
    })
  )

  it.effect.prop("never throws, whatever is changed", { changes: Bytes.mutation, which: between(0, 1) }, (given) =>
    Effect.sync(() => {
      const bytes = Bytes.mutate(given.which === 0 ? header : sync, given.changes)
      const result = decode(bytes)
      if (Result.isFailure(result)) return
      const { normal, payloadLength, zero } = result.success
      assert.isAtMost(normal.length + zero.length, 128)
      assert.isAtMost(payloadLength, MultifdPacket.MAX_PAYLOAD_BYTES)
    })
  )

  it.effect.prop("never throws, whatever the bytes", { bytes: Bytes.bytes(1400) }, ({ bytes }) =>
    Effect.sync(() => {
      decode(bytes)
      MultifdPacket.decodePrologue(bytes)
    })
  )
})

describe("a SYNC packet", () => {
  it("is written as QEMU writes it", () => assert.deepStrictEqual(MultifdPacket.encodeSync(1, pageSize), sync))

  it("is written into memory that was used before", () => {
    const into = header.slice()
    assert.deepStrictEqual(MultifdPacket.encodeSync(1, pageSize, into), sync)
  })

  it("is read, whatever the compression", () => {
    for (const method of [0x00, 0x02, 0x04]) {
      const result = decode(sync, { method })
      assert(Result.isSuccess(result))
      assert.isTrue(result.success.sync)
      assert.strictEqual(result.success.packetNum, 1)
    }
  })

  it("may come with pages, room and the method, as before 9.0", () => {
    const result = decode(withFields({ 8: 0x01 }))
    assert(Result.isSuccess(result))
    assert.isTrue(result.success.sync)
    assert.strictEqual(result.success.normal.length, 2)
    assert.strictEqual(codeOf(decode(withFields({ 8: 0x03, 12: 128 }, sync), { method: 0x02 })), "no finding")
  })

  it("and what follows it say nothing by their method and length, which before 8.2 are left over", () => {
    for (const flags of [0x01, 0x00]) {
      const result = decode(withFields({ 8: flags, 20: 524_288 }, sync), { method: 0x02 })
      assert(Result.isSuccess(result))
      assert.strictEqual(result.success.payloadLength, 0)
    }
    assert.strictEqual(codeOf(decode(withFields({ 20: 524_288 }, sync))), "no finding")
  })

  it("with pages has the method that was agreed", () =>
    assert.strictEqual(codeOf(decode(withFields({ 8: 0x01 }), { method: 0x02 })), "packet-method-mismatch"))

  it("may keep the name of a block, as old versions do", () => {
    const named = sync.slice()
    named.fill(0xff, 64, 320)
    const result = decode(named)
    assert(Result.isSuccess(result))
    assert.strictEqual(result.success.idstr, "")
  })
})

describe("a RAM packet is refused", () => {
  const cases: ReadonlyArray<readonly [string, Uint8Array, string, Partial<MultifdPacket.DecodeOptions>?]> = [
    ["with another magic number", withFields({ 0: 0x11223345 }), "packet-magic-wrong"],
    ["in another version", withFields({ 4: 2 }), "packet-version-unsupported"],
    ["with unknown flags", withFields({ 8: 0x80 }), "packet-flags-unknown"],
    ["with the highest flag", withFields({ 8: 0x80000000 }), "packet-flags-unknown"],
    ["as device state", withFields({ 8: 0x40 }), "packet-flags-unknown"],
    ["with reserved bytes in use", withFields({ 36: 1 }), "packet-reserved-set"],
    ["with the last reserved byte in use", withFields({ 60: 1 }), "packet-reserved-set"],
    ["with room for more pages than there are offsets", withFields({ 12: 129 }), "packet-pages-exceeded"],
    ["with more pages than room", withFields({ 12: 1 }), "packet-normal-exceeded"],
    ["with pages and no room", withFields({ 12: 0, 32: 0 }), "packet-normal-exceeded"],
    ["with more zero pages than room", withFields({ 32: 127 }), "packet-zero-exceeded"],
    [
      "with numbers of pages beyond all bounds",
      withFields({ 16: 0xffffffff, 32: 0xffffffff }),
      "packet-normal-exceeded"
    ],
    ["with a compression that was not agreed", withFields({ 8: 0x02 }), "packet-method-mismatch"],
    ["without the compression that was agreed", header, "packet-method-mismatch", { method: 0x04 }],
    ["with two compressions", withFields({ 8: 0x06 }), "packet-method-mismatch", { method: 0x04 }],
    ["with too short a payload", withFields({ 20: 8191 }), "packet-payload-wrong"],
    ["with too long a payload", withFields({ 20: 8193 }), "packet-payload-wrong"],
    ["with a payload for zero pages", withFields({ 16: 0, 20: 1, 32: 3 }), "packet-payload-wrong"],
    ["without a payload for its pages", withFields({ 8: 0x02, 20: 0 }), "packet-payload-wrong", { method: 0x02 }],
    [
      "with a compressed payload for no page",
      withFields({ 8: 0x02, 16: 0, 20: 1, 32: 3 }),
      "packet-payload-wrong",
      { method: 0x02 }
    ],
    [
      "with more than 1 MiB of payload",
      withFields({ 8: 0x02, 20: 1024 * 1024 + 1 }),
      "packet-payload-exceeded",
      { method: 0x02 }
    ],
    [
      "with more payload than agreed",
      withFields({ 8: 0x02, 20: 10 }),
      "packet-payload-exceeded",
      { method: 0x02, maxPayload: 9 }
    ],
    ["without the name of a block", withFields({ 64: 0 }), "packet-name-invalid"],
    ["with a name that never ends", header.slice().fill(0x61, 64, 320), "packet-name-invalid"],
    ["with a name that is not text", withFields({ 64: 0xff000000 }), "packet-name-invalid"]
  ]
  for (const [title, bytes, code, options] of cases) {
    it(title, () => assert.strictEqual(codeOf(decode(bytes, options)), code))
  }

  it("at its place on the connection, and says what was expected", () => {
    const result = decode(withFields({ 12: 129 }), { position: 64 })
    assert(Result.isFailure(result))
    const { expected, found, offset } = result.failure
    assert.deepStrictEqual([offset, expected, found], [76, "at most 128 pages", "129 pages"])
  })

  it("if it is cut, at every length", () => {
    for (let length = 0; length < header.length; length++) {
      assert.strictEqual(codeOf(decode(header.subarray(0, length))), "stream-cut")
    }
  })

  it("with too short a payload, which says how long it is to be", () => {
    const result = MultifdPacket.decodeRam(withFields({ 20: 8191 }), { pageSize: 4096 })
    assert.isTrue(Result.isFailure(result) && result.failure.expected === "8192 bytes")
  })

  it("but not for a payload of the greatest length that is accepted", () => {
    const bytes = withFields({ 8: 0x02, 20: 1024 * 1024 })
    assert.strictEqual(codeOf(decode(bytes, { method: 0x02 })), "no finding")
  })
})

describe("the first 12 bytes of a packet", () => {
  it("tell RAM from device state", () => {
    assert.deepStrictEqual(MultifdPacket.decodePrologue(sync), Result.succeed({ kind: "ram", flags: 1 }))
    const device = MultifdPacket.decodePrologue(withFields({ 8: 0x40 }))
    assert.deepStrictEqual(device, Result.succeed({ kind: "device-state", flags: 0x40 }))
  })

  it("are refused as those of anything else", () => {
    assert.strictEqual(codeOf(MultifdPacket.decodePrologue(withFields({ 0: 0x5145564d }))), "packet-magic-wrong")
    assert.strictEqual(codeOf(MultifdPacket.decodePrologue(withFields({ 4: 0 }))), "packet-version-unsupported")
    assert.strictEqual(codeOf(MultifdPacket.decodePrologue(sync.subarray(0, 11))), "stream-cut")
  })

  it("are refused at their place", () => {
    const result = MultifdPacket.decodePrologue(withFields({ 4: 0 }), 100)
    assert.isTrue(Result.isFailure(result) && result.failure.offset === 104)
  })
})

describe("the pages of a packet", () => {
  const shape = { idstr: "m", usedLength: 0x33f000, pageSize }
  const check = (changes: Partial<MultifdPacket.RamPacket>, block: typeof shape | undefined = shape) =>
    MultifdPacket.checkPages({ ...packet, ...changes }, block, 64)

  it("lie in their block", () => assert.isUndefined(check({})))

  it("are not needed to have a block if there are none", () =>
    assert.isUndefined(MultifdPacket.checkPages({ ...packet, normal: [], zero: [] }, undefined)))

  it("are refused if their block was never announced", () => {
    const finding = MultifdPacket.checkPages(packet, undefined)
    assert.strictEqual(finding?.code, "packet-block-unknown")
    assert.strictEqual(finding?.offset, 64)
    assert.strictEqual(finding?.found, `"m"`)
  })

  it("are refused behind the end of the block", () => {
    const finding = check({ zero: [0x33e000, 0x33f000] })
    assert.strictEqual(finding?.code, "packet-offset-out-of-range")
    assert.strictEqual(finding?.offset, 64 + 320 + 3 * 8)
    assert.strictEqual(finding?.expected, `an offset up to ${0x33e000}`)
    assert.strictEqual(check({ normal: [2 ** 64] })?.code, "packet-offset-out-of-range")
    assert.strictEqual(check({ normal: [0x33e001] })?.code, "packet-offset-out-of-range")
  })

  it("are refused if they do not begin at a page boundary", () => {
    const finding = check({ normal: [0x1000, 0x1001] })
    assert.strictEqual(finding?.code, "packet-offset-misaligned")
    assert.strictEqual(finding?.offset, 64 + 320 + 8)
    assert.strictEqual(finding?.block, "m")
  })
})

describe("the numbers of packets", () => {
  it("never fall on a channel", () => {
    assert.isUndefined(MultifdPacket.checkNumber(packet, 7))
    assert.isUndefined(MultifdPacket.checkNumber(packet, 8))
  })

  it("are refused otherwise", () => {
    assert.strictEqual(MultifdPacket.checkNumber(packet, 9)?.code, "packet-number-stale")
    const finding = MultifdPacket.checkNumber(packet, 9, 64)
    assert.strictEqual(finding?.offset, 88)
  })
})
