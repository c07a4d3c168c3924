/**
 * Every error class prints as its tag and message, however it is printed, and every union of errors is narrowed by its tag.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Arbitrary from "effect/Arbitrary"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import type * as Schema from "effect/Schema"
import * as Path from "node:path"
import * as Util from "node:util"
import type { Capture, ImageError, Migration, MigrationRequestError, Resume, VmError } from "../../src/index.ts"
import { readSources } from "../support/project/imports.ts"
import { root } from "../support/project/run.ts"

type AnyError = Error & { readonly _tag: string; readonly hint?: string }
type ErrorClass = Schema.Codec<AnyError, unknown> & { new (...args: ReadonlyArray<never>): AnyError }

const declaration = /^export class (\w+) extends TaggedError\b/gm
/** The exit code that is left of an error that was reported. It has no message, and is never printed. */
const silent = "ReportedError"
const names = [...readSources(Path.join(root, "src"))]
  .flatMap(([file, source]) => [...source.matchAll(declaration)].map((match) => ({ file, name: match[1] ?? "" })))
  .filter(({ name }) => name !== silent)

describe("printing", () => {
  it("there are error classes in most rooms", () => assert.isAbove(names.length, 35))

  for (const { file, name } of names) {
    it(`${name} shows its tag and message first, its cause, and neither fields nor a stack`, async () => {
      const module = (await import(Path.join(root, "src", file))) as Readonly<Record<string, ErrorClass>>
      const errorClass = module[name]
      assert(errorClass !== undefined)
      const samples = await Effect.runPromise(
        Arbitrary.sampleEffect(Arbitrary.schema(errorClass), { count: 20, seed: name })
      )
      for (const error of samples) {
        const first = `${name}: ${error.message}`
        const cause = error.cause === undefined ? "" : "\n  [cause]: "
        for (const printed of [Util.inspect(error), Util.format("%o", error), Util.format(error)]) {
          assert.isTrue(printed.startsWith(first + cause), printed)
          assert.notMatch(printed.slice(first.length), /\n {4}at |_tag|errorExitCode/)
        }
        assert.isTrue(Cause.pretty(Cause.fail(error)).startsWith(first.trimEnd()), Cause.pretty(Cause.fail(error)))
        assert.deepStrictEqual([error.name, String(error)], [name, first])
        assert.include(error.message, error.hint ?? "")
      }
    })
  }
})

/** `true` unless the tag is any text, which narrows nothing. */
type Narrows<E extends { readonly _tag: string }> = string extends E["_tag"] ? false : true

describe("unions of errors", () => {
  it("are narrowed by their tags", () => {
    const narrows: readonly [
      Narrows<Migration.MigrationError>,
      Narrows<Migration.SendError>,
      Narrows<Migration.ReceiveError>,
      Narrows<ImageError.ImageError>,
      Narrows<Capture.CaptureError>,
      Narrows<Resume.ResumeError>
    ] = [true, true, true, true, true, true]
    const handled: Effect.Effect<
      Capture.Captured | ReadonlyArray<string>,
      Exclude<Capture.CaptureError, { readonly _tag: "MigrationRequestError" | "VmNotReadyError" }>,
      never
    > = Effect.fail<Capture.CaptureError>(undefined as never).pipe(
      Effect.catchTag("VmNotReadyError", (error: VmError.VmNotReadyError) => Effect.succeed([error.peer])),
      Effect.catchTag("MigrationRequestError", (error: MigrationRequestError.MigrationRequestError) =>
        Effect.succeed([error.operation])
      )
    )
    assert.isTrue(Effect.isEffect(handled) && narrows.every(Boolean))
  })
})
