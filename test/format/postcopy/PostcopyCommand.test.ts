import { assert, describe, it } from "@effect/vitest"
import * as Arbitrary from "effect/Arbitrary"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as PostcopyCommand from "../../../src/format/postcopy/PostcopyCommand.ts"
import * as RamArbitraries from "../../../src/testing/RamArbitraries.ts"
import { between } from "../../support/arbitraries.ts"
import * as Bytes from "../../support/bytes.ts"

const { hex } = Bytes

const codeOf = (bytes: Uint8Array) => {
  const result = PostcopyCommand.decode(bytes)
  return Result.isFailure(result) ? result.failure.code : "no finding"
}

const examples: ReadonlyArray<readonly [string, Uint8Array, PostcopyCommand.PostcopyCommand]> = [
  ["OPEN_RETURN_PATH", hex("08 0001 0000"), { _tag: "OpenReturnPath" }],
  ["PING 1", hex("08 0002 0004 00000001"), { _tag: "Ping", value: 1 }],
  [
    "ADVISE of 4 KiB and 2 MiB",
    hex("08 0003 0010 0000000000201000 0000000000001000"),
    { _tag: "Advise", hostPageSizes: 0x201000, targetPageSize: 0x1000 }
  ],
  ["LISTEN", hex("08 0004 0000"), { _tag: "Listen" }],
  ["RUN", hex("08 0005 0000"), { _tag: "Run" }],
  [
    "RAM_DISCARD of three ranges",
    hex(`08 0006 0039 00 06 70632e72616d 00
      0000000000101000 0000000000003000
      0000000000117000 0000000000001000
      0000000001772000 000000000288e000`),
    {
      _tag: "Discard",
      idstr: "pc.ram",
      ranges: [
        { offset: 0x101000, length: 0x3000 },
        { offset: 0x117000, length: 0x1000 },
        { offset: 0x1772000, length: 0x288e000 }
      ]
    }
  ],
  ["PACKAGED", hex("08 0007 0004 0000328f"), { _tag: "Packaged", length: 0x328f }],
  ["RESUME", hex("08 0009 0000"), { _tag: "Resume" }],
  ["RECV_BITMAP", hex("08 000a 0007 06 70632e72616d"), { _tag: "RequestBitmap", idstr: "pc.ram" }],
  ["SWITCHOVER_START", hex("08 000b 0000"), { _tag: "SwitchoverStart" }]
]

describe("a command of a postcopy migration", () => {
  for (const [title, bytes, command] of examples) {
    it(`is written: ${title}`, () => assert.deepStrictEqual(PostcopyCommand.encode(command), bytes))
    it(`is read: ${title}`, () =>
      assert.deepStrictEqual(PostcopyCommand.decode(bytes), Result.succeed({ value: command, end: bytes.length })))
    it(`is cut at every length: ${title}`, () => {
      for (let length = 0; length < bytes.length; length++) {
        assert.strictEqual(codeOf(bytes.subarray(0, length)), "stream-cut")
      }
    })
  }

  it("is refused where its body has another length than its fields", () => {
    for (const bytes of [
      hex("08 0003 0008 0000000000001000"),
      hex("08 0003 0000"),
      hex("08 0004 0001 00"),
      hex("08 000a 0003 01 6d 6d"),
      hex("08 0006 0004 00 01 6d 00"),
      hex(`08 0006 0015 00 01 6d 00 0000000000000000 0000000000001000 00`)
    ]) {
      assert.strictEqual(codeOf(bytes), "command-corrupt")
    }
  })

  it("is refused where RAM_DISCARD has another version, or its name no end", () => {
    assert.strictEqual(codeOf(hex("08 0006 0014 01 01 6d 00 0000000000000000 0000000000001000")), "command-corrupt")
    assert.strictEqual(codeOf(hex("08 0006 0014 00 01 6d 6d 0000000000000000 0000000000001000")), "command-corrupt")
  })

  it("is refused where no QEMU knows it, where COLO does, and where it is a section", () => {
    assert.strictEqual(codeOf(hex("08 000c 0000")), "command-corrupt")
    assert.strictEqual(codeOf(hex("08 0008 0000")), "command-unsupported")
    assert.strictEqual(codeOf(hex("02 00000001")), "section-unexpected")
  })

  const size = between(0, Number.MAX_SAFE_INTEGER)
  const ranges = Arbitrary.array(Arbitrary.all({ offset: size, length: size }), { minLength: 1, maxLength: 30 })

  it.effect.prop(
    "comes back",
    { idstr: RamArbitraries.idstr, ranges, size, value: between(0, 2 ** 32 - 1) },
    ({ idstr, ranges, size, value }) =>
      Effect.sync(() => {
        const commands: ReadonlyArray<PostcopyCommand.PostcopyCommand> = [
          { _tag: "Ping", value },
          { _tag: "Advise", hostPageSizes: size, targetPageSize: size },
          { _tag: "Discard", idstr, ranges },
          { _tag: "Packaged", length: value },
          { _tag: "RequestBitmap", idstr }
        ]
        for (const command of commands) {
          const bytes = PostcopyCommand.encode(command)
          const expected = Result.succeed({ value: command, end: bytes.length })
          assert.deepStrictEqual(PostcopyCommand.decode(bytes), expected)
        }
      })
  )

  it.effect.prop("has room for its greatest number of ranges", { idstr: RamArbitraries.idstr }, ({ idstr }) =>
    Effect.sync(() => {
      const ranges = Array.from({ length: PostcopyCommand.MAX_RANGES }, () => ({ offset: 0, length: 4096 }))
      const read = PostcopyCommand.decode(PostcopyCommand.encode({ _tag: "Discard", idstr, ranges }))
      assert(Result.isSuccess(read) && read.success.value._tag === "Discard")
      assert.lengthOf(read.success.value.ranges, ranges.length)
    })
  )

  it.effect.prop(
    "never throws, and never reads beyond what is there",
    { index: between(0, examples.length - 1), mutation: Bytes.mutation },
    ({ index, mutation }) =>
      Effect.sync(() => {
        const bytes = Bytes.mutate(examples[index]![1], mutation)
        const read = PostcopyCommand.decode(bytes)
        if (Result.isSuccess(read)) assert.isAtMost(read.success.end, bytes.length)
      })
  )
})
