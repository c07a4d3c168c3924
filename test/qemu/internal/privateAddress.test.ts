import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fs from "node:fs"
import * as Path from "node:path"
import * as Workspace from "../../support/qemu/workspace.ts"
import { privateAddress } from "../../../src/qemu/internal/privateAddress.ts"

const temporary = Workspace.directory()

/** With another place for temporary files. */
const withTmpdir = (path: string) =>
  Effect.acquireRelease(
    Effect.sync(() => {
      const before = process.env["TMPDIR"]
      process.env["TMPDIR"] = path
      return before
    }),
    (before) =>
      Effect.sync(() => {
        if (before === undefined) delete process.env["TMPDIR"]
        else process.env["TMPDIR"] = before
      })
  )

const parentOf = (path: string): string => Path.dirname(Path.dirname(path))

describe("the place of a migration's socket", () => {
  it.effect("is in the directory for temporary files, as long as there is room for its name", () =>
    Effect.gen(function* () {
      const folder = yield* temporary
      const room = 107 - "/multifd-XXXXXX/migration".length
      const longest = Path.join(folder, "x".repeat(room - folder.length - 1))
      Fs.mkdirSync(longest)
      yield* withTmpdir(longest)
      const { path } = yield* privateAddress({ peer: "unix:/run/vm/qmp" })
      assert.strictEqual(parentOf(path), longest)
      assert.lengthOf(path, 107)
    }).pipe(Effect.scoped)
  )

  it.effect("is beside the monitor otherwise, and for this user alone", () =>
    Effect.gen(function* () {
      const folder = yield* temporary
      yield* withTmpdir(Path.join(folder, "x".repeat(100)))
      const paths = yield* Effect.forEach(
        [Path.join(folder, "qmp"), Path.relative(".", Path.join(folder, "qmp"))],
        (monitor) =>
          Effect.scoped(
            Effect.map(privateAddress({ peer: `unix:${monitor}` }), ({ path }) => {
              assert.strictEqual(Fs.statSync(Path.dirname(path)).mode & 0o777, 0o700)
              return path
            })
          )
      )
      assert.deepStrictEqual(paths.map(parentOf), [folder, folder])
      assert.deepStrictEqual(Fs.readdirSync(folder), [])
    }).pipe(Effect.scoped)
  )

  for (const [name, peer] of [
    ["has no directory", "tcp:127.0.0.1:4444"],
    ["is in one that is gone", "unix:/nonexistent/qmp"],
    ["is in one with a long name, too", `unix:/${"y".repeat(100)}/qmp`]
  ] as const) {
    it.effect(`is where everybody's are if the monitor ${name}`, () =>
      Effect.gen(function* () {
        yield* withTmpdir(`/${"x".repeat(100)}`)
        const { path } = yield* privateAddress({ peer })
        assert.include([`/run/user/${process.getuid?.()}`, "/tmp"], parentOf(path))
        assert.isTrue(Fs.statSync(Path.dirname(path)).isDirectory())
      }).pipe(Effect.scoped)
    )
  }
})
