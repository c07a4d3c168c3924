/**
 * What real QEMUs say to each other in a postcopy migration is read whole, and comes out byte for byte.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Result from "effect/Result"
import * as PostcopyCommand from "../../../src/format/postcopy/PostcopyCommand.ts"
import * as ReceivedBitmap from "../../../src/format/postcopy/ReceivedBitmap.ts"
import * as RamRecords from "../../../src/format/stream/RamRecords.ts"
import * as ReturnPath from "../../../src/format/stream/ReturnPath.ts"
import * as Bytes from "../../support/bytes.ts"
import * as Captures from "../../support/wire/capturedPostcopy.ts"

const tagsOf = (values: ReadonlyArray<{ readonly _tag: string }>) => values.map(({ _tag }) => _tag)

for (const version of Captures.versions) {
  describe(`a postcopy migration of QEMU ${version}`, () => {
    for (const name of ["plain", "preempt"] as const) {
      const bytes = Captures.sent(version, name, 0, "source")
      const walked = Captures.walk(bytes)

      it(`${name}: the commands are read, and written as they were`, () => {
        const tags = tagsOf(walked.commands)
        const pings = version === "10.0" ? ["Ping"] : ["Ping", "Ping"]
        assert.deepStrictEqual(tags.slice(0, 3), ["OpenReturnPath", "Ping", "Advise"])
        assert.deepStrictEqual(tags.slice(tags.indexOf("Packaged")), ["Packaged", "Listen", ...pings, "Run", "Ping"])
        assert.include(tags, "Discard")
        assert.deepStrictEqual(walked.commands.map(PostcopyCommand.encode), walked.commandBytes)
      })

      it(`${name}: each page is there once, and written as it was`, () => {
        const urgent = name === "preempt" ? Captures.sent(version, name, 1, "source") : new Uint8Array(0)
        const onUrgent = Captures.recordsFrom(urgent, walked.blocks, 0, undefined, true).records
        assert.deepStrictEqual(Captures.encodeRecords(walked.blocks, onUrgent), urgent)
        const places = [...walked.records, ...onUrgent].map((record) =>
          record._tag === "EndOfSection" ? "" : `${record.idstr} ${record.offset}`
        )
        assert.strictEqual(new Set(places).size, places.length)
        assert.isAbove(places.length, 100)
      })

      it(`${name}: the stream ends with one byte`, () => assert.strictEqual(walked.end, bytes.length - 1))

      it(`${name}: the destination's messages are read, and written as they were`, () => {
        const said = Captures.sent(version, name, 0, "destination")
        const { messages } = Captures.answers(said, walked.blocks)
        assert.deepStrictEqual(Bytes.concat(...messages.map(ReturnPath.encode)), said)
        assert.include(tagsOf(messages), "RequestPagesOfBlock")
        assert.deepStrictEqual(messages.at(-1), { _tag: "Shut", value: 0 })
      })
    }

    it("the records of a section are written as they were", () => {
      const bytes = Captures.sent(version, "plain", 0, "source")
      const { blocks, records, sections } = Captures.walk(bytes)
      assert.isAbove(sections.length, 1)
      for (const { first, from, last, to } of sections) {
        const encoder = RamRecords.make()
        const block = blocks.find(({ idstr }) => idstr === last)
        if (block !== undefined) encoder.zeros(block, [{ offset: 0, length: block.pageSize }])
        const own = records.slice(first, sections.find((section) => section.first > first)?.first)
        const written = Captures.encodeRecords(blocks, [...own, { _tag: "EndOfSection" }], encoder)
        assert.deepStrictEqual(written, bytes.subarray(from, to))
      }
    })

    it("a recovery: bitmaps of all blocks, then RESUME", () => {
      const { blocks } = Captures.walk(Captures.sent(version, "plain", 0, "source"))
      const bytes = Captures.sent(version, "recover", 1, "source")
      const { commandBytes, commands, end, records } = Captures.walk(bytes, blocks)
      const asked = commands.flatMap((command) => (command._tag === "RequestBitmap" ? [command.idstr] : []))
      assert.sameMembers(
        asked,
        blocks.map(({ idstr }) => idstr)
      )
      assert.deepStrictEqual(tagsOf(commands).slice(-1), ["Resume"])
      assert.deepStrictEqual(commands.map(PostcopyCommand.encode), commandBytes)
      assert.strictEqual(end, bytes.length - 1)

      const said = Captures.sent(version, "recover", 1, "destination")
      const { bitmaps, messages } = Captures.answers(said, blocks)
      assert.sameMembers([...bitmaps.keys()], asked)
      assert.deepInclude(messages, { _tag: "ResumeAck", value: 1 })
      const missing = [...bitmaps].map(([idstr, bitmap]) => [idstr, Result.getOrThrow(bitmap)] as const)
      for (const record of records) {
        assert(record._tag !== "EndOfSection")
        const bitmap = missing.find(([idstr]) => idstr === record.idstr)![1]
        assert.isFalse(bitmap.has(record.offset / 4096))
      }
      const written = messages.flatMap((message) => {
        const bitmap =
          message._tag === "ReceivedBitmap" ? missing.find(([idstr]) => idstr === message.idstr) : undefined
        return [ReturnPath.encode(message), ...(bitmap === undefined ? [] : [ReceivedBitmap.encode(bitmap[1])])]
      })
      assert.deepStrictEqual(Bytes.concat(...written), said)
    })
  })
}
