import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import * as ImageNotes from "../../../src/format/seal/ImageNotes.ts"
import * as Problem from "../../../src/ram/Problem.ts"
import { codeOf } from "../../support/images/seals.ts"

const uuid = "2b6f0cc9-04d1-4b5c-9e0c-0123456789ab"

const encoded = (text: string): Uint8Array => new TextEncoder().encode(text)

const decoded = (text: string) => ImageNotes.decode(encoded(text), 4096)

const Uuids = Schema.Literals([uuid, "00000000-0000-0000-0000-000000000000", "ffffffff-ffff-ffff-ffff-ffffffffffff"])

/** Any notes that this version knows. */
const Known = Schema.Struct({
  uuid: Schema.optionalKey(Uuids),
  marks: ImageNotes.ImageNotes.fields.marks,
  lost: ImageNotes.ImageNotes.fields.lost
})

describe("notes", () => {
  it.effect.prop("come back as they were written", { notes: Known }, ({ notes }) =>
    Effect.sync(() => {
      const bytes = ImageNotes.encode(notes)
      const back = Result.getOrThrow(ImageNotes.decode(bytes, 0))
      assert.deepStrictEqual(ImageNotes.encode(back), bytes)
      assert.deepStrictEqual(back, JSON.parse(JSON.stringify(notes)))
      assert.deepStrictEqual(ImageNotes.problems(back), [])
    })
  )

  it("are no bytes where there are none", () => {
    assert.lengthOf(ImageNotes.encode({}), 0)
    assert.lengthOf(ImageNotes.encode({ uuid: undefined }), 0)
    assert.deepStrictEqual(ImageNotes.decode(new Uint8Array(0), 0), Result.succeed({}))
  })

  it("bear fields of later versions, and write them again", () => {
    const text = `{"host":{"name":"a","cpus":[1,2]},"uuid":"${uuid}","lost":[{"idstr":"pc.ram","pages":3,"why":"disk"}]}`
    const notes = Result.getOrThrow(decoded(text))
    assert.strictEqual(notes.uuid, uuid)
    assert.strictEqual(new TextDecoder().decode(ImageNotes.encode(notes)), text)
    assert.strictEqual(
      new TextDecoder().decode(ImageNotes.encode({ ...notes, marks: "each-round" })),
      `${text.slice(0, -1)},"marks":"each-round"}`
    )
  })

  it("cannot change what other objects are", () => {
    const text = `{"__proto__":{"uuid":"${uuid}","marks":"each-round"}}`
    const notes = Result.getOrThrow(decoded(text))
    assert.isUndefined(notes.uuid)
    assert.isUndefined({ ...notes }.marks)
    assert.strictEqual(new TextDecoder().decode(ImageNotes.encode({ ...notes })), text)
  })

  it.each([
    ["{", "another text"],
    ["", undefined],
    ["[]", "other fields"],
    ["null", "other fields"],
    ["7", "other fields"],
    [`{"uuid":"${uuid.toUpperCase()}"}`, "other fields"],
    ['{"uuid":7}', "other fields"],
    ['{"marks":"none"}', "other fields"],
    ['{"lost":{}}', "other fields"],
    ['{"lost":[{"idstr":"pc.ram"}]}', "other fields"],
    ['{"lost":[{"idstr":"pc.ram","pages":-1}]}', "other fields"],
    ['{"lost":[{"idstr":"pc.ram","pages":1.5}]}', "other fields"],
    [`{"a":${"[".repeat(100_000)}${"]".repeat(100_000)}}`, "deeper ones"],
    [`{"a":"${"x".repeat(ImageNotes.MAX_LENGTH)}"}`, `${ImageNotes.MAX_LENGTH + 8} bytes`]
  ])("text %$ is corrupt unless it is notes", (text, found) => {
    const result = decoded(text)
    assert.strictEqual(codeOf(result), found === undefined ? undefined : "seal-corrupt")
    if (Result.isFailure(result)) {
      assert.strictEqual(result.failure.found, found)
      assert.strictEqual(result.failure.offset, 4096)
    }
  })

  it("that are not UTF-8 are corrupt", () => {
    assert.strictEqual(codeOf(ImageNotes.decode(Uint8Array.of(0x7b, 0xff, 0x7d), 0)), "seal-corrupt")
  })

  it("that cannot be read again are refused before they are written", () => {
    assert.deepStrictEqual(ImageNotes.problems(undefined), [])
    assert.match(Problem.refusal("save", ImageNotes.problems({ uuid: uuid.toUpperCase() })), /canonical uuid/)
    const lost = [{ idstr: "x".repeat(ImageNotes.MAX_LENGTH), pages: 1 }]
    assert.match(
      Problem.refusal("save", ImageNotes.problems({ lost })),
      /the notes take 10\d+ bytes; use at most 1048576/
    )
    const deep = { uuid, later: JSON.parse(`${"[".repeat(40)}${"]".repeat(40)}`) }
    assert.match(Problem.refusal("save", ImageNotes.problems(deep)), /the notes have another form/)
  })
})
