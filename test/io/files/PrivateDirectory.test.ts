import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fs from "node:fs"
import * as Path from "node:path"
import * as PrivateDirectory from "../../../src/io/files/PrivateDirectory.ts"

/** With another place for temporary files. */
const inDirectory = <A, E, R>(path: string, self: Effect.Effect<A, E, R>) =>
  Effect.acquireUseRelease(
    Effect.sync(() => {
      const before = process.env["TMPDIR"]
      process.env["TMPDIR"] = path
      return before
    }),
    () => self,
    (before) =>
      Effect.sync(() => {
        if (before === undefined) delete process.env["TMPDIR"]
        else process.env["TMPDIR"] = before
      })
  )

describe("PrivateDirectory", () => {
  it.live("is the user's alone, and gone with everything in it in the end", () =>
    Effect.gen(function* () {
      const paths = yield* Effect.scoped(
        Effect.gen(function* () {
          const [one, two] = [yield* PrivateDirectory.make, yield* PrivateDirectory.make]
          assert.notStrictEqual(one, two)
          assert.strictEqual(Fs.statSync(one).mode & 0o777, 0o700)
          Fs.mkdirSync(Path.join(one, "in"))
          Fs.writeFileSync(Path.join(one, "in", "file"), "x")
          return [one, two]
        })
      )
      assert.deepStrictEqual(paths.filter(Fs.existsSync), [])
    })
  )

  it.live("is made where it is asked for", () =>
    Effect.gen(function* () {
      const parent = yield* PrivateDirectory.make
      const inner = yield* Effect.scoped(
        Effect.tap(PrivateDirectory.makeIn(parent), (path) => {
          assert.strictEqual(Path.dirname(path), parent)
          assert.strictEqual(Fs.statSync(path).mode & 0o777, 0o700)
          return Effect.void
        })
      )
      assert.isFalse(Fs.existsSync(inner))
    })
  )

  it.live("a place that does not exist: FileNotFoundError", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(inDirectory("/nonexistent", PrivateDirectory.make))
      assert.strictEqual(error._tag, "FileNotFoundError")
      assert.include(error.message, "/nonexistent/multifd-: create the directory: no such file or directory (ENOENT)")
    })
  )
})
