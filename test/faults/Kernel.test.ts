/**
 * What a real kernel refuses: a file system that is full at any size, a limit to the size of files, a target on a file
 * system that is read-only, and one whose names are removed while it is written. Some of it takes root and `mount`, or
 * `prlimit`; without, that is skipped.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as References from "effect/References"
import * as ChildProcess from "node:child_process"
import * as Fs from "node:fs"
import * as Path from "node:path"
import * as Util from "node:util"
import * as FileCalls from "../../src/io/files/FileCalls.ts"
import * as Migration from "../../src/migration/Migration.ts"
import * as FaultyFiles from "../../src/testing/FaultyFiles.ts"
import type { Limited } from "../support/faults/limitedSaves.ts"
import { contentsOf, machineOf } from "../support/machine.ts"
import { tagOf } from "../support/faults/outcome.ts"
import * as Workspace from "../support/qemu/workspace.ts"

const PAGES = 240
const SIZES = 256
const OLD = new Uint8Array(3000).fill(0x11)
const PAGE = 4096

const mount = (...args: ReadonlyArray<string>) => ChildProcess.execFileSync("mount", args, { stdio: "ignore" })

const folder = Workspace.directory()

/** A small file system, until the scope ends. */
const tmpfs = Effect.tap(folder, (path) =>
  Effect.acquireRelease(
    Effect.sync(() => mount("-t", "tmpfs", "-o", "size=4k", "none", path)),
    () => Effect.sync(() => ChildProcess.execFileSync("umount", [path]))
  )
)

const isPossible = (self: Effect.Effect<unknown>): boolean => {
  try {
    Effect.runSync(self)
    return true
  } catch {
    return false
  }
}

const canMount = isPossible(Effect.scoped(tmpfs))
const canLimit = isPossible(Effect.sync(() => ChildProcess.execFileSync("prlimit", ["--version"], { stdio: "ignore" })))

type Target = Migration.WriteOptions["target"]

const saveTo = (target: Target, pages = PAGES) =>
  Effect.flatMap(machineOf(pages), (machine) => Migration.make.save({ ...machine, target, batchSize: 8 * PAGE }))

const contentsAt = (path: string): Uint8Array => new Uint8Array(Fs.readFileSync(path))

describe.skipIf(!canMount)("a file system of its own (skipped where no tmpfs can be mounted)", () => {
  it.live(
    "of any size: no room, and all is as it was, or the whole image",
    () =>
      Effect.gen(function* () {
        const folder = yield* tmpfs
        const target = Path.join(folder, "vm.img")
        const tags = new Map<string, number>()
        for (let size = 1; size <= SIZES; size++) {
          const place = `${size * 4} KiB`
          mount("-o", `remount,size=${size * 4}k`, folder)
          Fs.rmSync(target, { force: true })
          if (size % 2 === 0) Fs.writeFileSync(target, OLD)
          const tag = tagOf(yield* Effect.exit(saveTo(target)), place)
          tags.set(tag, (tags.get(tag) ?? 0) + 1)
          const expected = size % 2 === 0 || tag === "success" ? ["vm.img"] : []
          assert.deepStrictEqual(Fs.readdirSync(folder), expected, place)
          if (tag === "success") yield* contentsOf(target)
          else if (size % 2 === 0) assert.deepStrictEqual(contentsAt(target), OLD, place)
        }
        assert.deepStrictEqual([...tags.keys()].toSorted(), ["NoSpaceError", "success"])
      }).pipe(Effect.scoped),
    120_000
  )

  it.live("that is read-only: nothing is there, or what was", () =>
    Effect.gen(function* () {
      const folder = yield* tmpfs
      const old = Path.join(folder, "old.img")
      Fs.writeFileSync(old, OLD)
      mount("-o", "remount,ro", folder)
      for (const target of [old, { path: old, offset: 0 }, Path.join(folder, "new.img")]) {
        const place = JSON.stringify(target)
        assert.strictEqual(tagOf(yield* Effect.exit(saveTo(target)), place), "FilePermissionError", place)
        assert.deepStrictEqual(Fs.readdirSync(folder), ["old.img"], place)
        assert.deepStrictEqual(contentsAt(old), OLD, place)
      }
    }).pipe(Effect.scoped)
  )

  it.live("that becomes read-only for this path alone, by a bind mount", () =>
    Effect.gen(function* () {
      const folder = yield* tmpfs
      mount("-o", "remount,size=4m", folder)
      const [there, here] = [Path.join(folder, "there"), Path.join(folder, "here")]
      for (const path of [there, here]) Fs.mkdirSync(path)
      yield* Effect.acquireRelease(
        Effect.sync(() => mount("--bind", there, here)),
        () => Effect.sync(() => ChildProcess.execFileSync("umount", [here]))
      )
      mount("-o", "remount,bind,ro", here)
      const exit = yield* Effect.exit(saveTo(Path.join(here, "vm.img")))
      assert.strictEqual(tagOf(exit, "bind mount"), "FilePermissionError")
      assert.deepStrictEqual(Fs.readdirSync(there), [])
      yield* saveTo(Path.join(there, "vm.img"))
    }).pipe(Effect.scoped)
  )
})

/** Runs the saves, and answers with what became of each. */
const limited = (request: Limited) =>
  Effect.promise(() =>
    Util.promisify(ChildProcess.execFile)(process.execPath, [
      Path.resolve(import.meta.dirname, "../support/faults/limitedSaves.ts"),
      JSON.stringify(request)
    ])
  ).pipe(Effect.map(({ stdout }) => stdout.trimEnd().split("\n")))

describe.skipIf(!canLimit)("a limit to the size of files (skipped without prlimit)", () => {
  // Node ignores the signal that comes with it, so that the call fails like any other.
  it.live(
    "no room, and all is as it was, or the whole image",
    () =>
      Effect.gen(function* () {
        const directory = yield* folder
        const pages = 24
        const complete = Path.join(directory, "complete")
        yield* saveTo(complete, pages)
        const { size } = Fs.statSync(complete)
        const some = Array.from({ length: 20 }, (_, index) => Math.floor((index * size) / 20))
        const limits = [...some, 1, 4095, 4097, 2 ** 20 - 1, 2 ** 20, size - 1]
        for (const [name, before] of [["absent"], ["old", OLD], ["in place", OLD]] as const) {
          const path = Path.join(directory, name)
          if (before !== undefined) Fs.writeFileSync(path, before)
          const target = name === "in place" ? { path, offset: 0 } : path
          assert.deepStrictEqual(
            yield* limited({ target, pages, limits }),
            limits.map(() => "NoSpaceError"),
            name
          )
          assert.deepStrictEqual(
            Fs.readdirSync(directory).filter((file) => file.endsWith(".part")),
            [],
            name
          )
          if (name === "absent") assert.isFalse(Fs.existsSync(path))
          else assert.deepStrictEqual(contentsAt(path), name === "old" ? OLD : new Uint8Array(0), name)
          assert.deepStrictEqual(yield* limited({ target, pages, limits: [size] }), ["success"], name)
          assert.deepStrictEqual(yield* contentsOf(target), yield* contentsOf(complete), name)
        }
      }).pipe(Effect.scoped),
    120_000
  )
})

/** Saves, with something that happens on the real disk in front of the call of that number. */
const savingWhile = (target: Target, at: number, happens: () => void) => {
  const plan: FaultyFiles.Plan = ({ index }) => {
    if (index === at) happens()
    return undefined
  }
  const files = FaultyFiles.make(plan, FileCalls.node)
  return Effect.exit(saveTo(target, 12)).pipe(
    Effect.map((exit) => ({ exit, files })),
    Effect.provide(files.layer),
    Effect.provideService(References.MinimumLogLevel, "None")
  )
}

interface Removal {
  readonly what: string
  readonly target: (folder: string) => Target
  readonly remove: (folder: string) => void
}

const image = (folder: string): string => Path.join(folder, "vm.img")

const removals: ReadonlyArray<Removal> = [
  {
    what: "the temporary file",
    target: image,
    remove: (folder) => {
      for (const name of Fs.readdirSync(folder)) if (name.endsWith(".part")) Fs.rmSync(Path.join(folder, name))
    }
  },
  { what: "the directory", target: image, remove: (folder) => Fs.rmSync(folder, { recursive: true }) },
  {
    what: "the target that is written in place",
    target: (folder) => ({ path: image(folder), offset: 0 }),
    remove: (folder) => Fs.rmSync(image(folder), { force: true })
  }
]

describe("what is removed while it is written", () => {
  it.live.each(removals)("$what, in front of every call: an error, or an image", ({ remove, target }) =>
    Effect.gen(function* () {
      const directory = yield* folder
      const tags = new Set<string>()
      const attempt = Effect.fnUntraced(function* (at: number) {
        const mine = Path.join(directory, String(at))
        Fs.mkdirSync(mine)
        const isInPlace = typeof target(mine) !== "string"
        if (isInPlace) Fs.writeFileSync(image(mine), OLD)
        const { exit, files } = yield* savingWhile(target(mine), at, () => remove(mine))
        const calls = files.log()
        const place = `in front of call ${at}, ${calls[at]?.name}`
        const tag = tagOf(exit, place)
        tags.add(tag)
        assert.deepStrictEqual(files.openFiles(), [], place)
        const left = Fs.existsSync(mine) ? Fs.readdirSync(mine) : []
        assert.deepStrictEqual(
          left.filter((name) => name !== "vm.img"),
          [],
          place
        )
        // What was complete before it was removed is not missed.
        const named = calls.findLastIndex(({ name }) => name === (isInPlace ? "stat" : "rename"))
        if (tag !== "success") assert.notInclude(left, "vm.img", place)
        else if (left.includes("vm.img")) yield* contentsOf(image(mine))
        else assert.isAbove(at, named, place)
        return calls.length
      })
      const calls = yield* attempt(-1)
      for (let at = 0; at < calls; at++) yield* attempt(at)
      assert.deepStrictEqual([...tags].toSorted(), ["FileNotFoundError", "success"])
    }).pipe(Effect.scoped)
  )
})
