/**
 * What a real kernel refuses: a file system that is full at any size, and a target on one that is read-only. It takes root
 * and `mount`; without, it is skipped.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as ChildProcess from "node:child_process"
import * as Fs from "node:fs"
import * as Os from "node:os"
import * as Path from "node:path"
import * as Migration from "../../src/migration/Migration.ts"
import { contentsOf, machineOf } from "./support/machine.ts"
import { tagOf } from "./support/outcome.ts"

const PAGES = 240
const SIZES = 256
const OLD = new Uint8Array(3000).fill(0x11)

const mount = (...args: ReadonlyArray<string>) => ChildProcess.execFileSync("mount", args, { stdio: "ignore" })

/** A small file system, until the scope ends. */
const tmpfs = Effect.acquireRelease(
  Effect.sync(() => {
    const path = Fs.mkdtempSync(Path.join(Os.tmpdir(), "effect-multifd-full-"))
    mount("-t", "tmpfs", "-o", "size=4k", "none", path)
    return path
  }),
  (path) =>
    Effect.sync(() => {
      ChildProcess.execFileSync("umount", [path])
      Fs.rmdirSync(path)
    })
)

const isPossible = (): boolean => {
  try {
    Effect.runSync(Effect.scoped(tmpfs))
    return true
  } catch {
    return false
  }
}

const saveTo = (target: string) =>
  Effect.flatMap(machineOf(PAGES), (machine) => Migration.make.save({ ...machine, target, batchSize: 8 * 4096 }))

describe.skipIf(!isPossible())("a real kernel (skipped where no tmpfs can be mounted)", () => {
  it.live(
    "a file system of any size: no room, and all is as it was, or the whole image",
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
          else if (size % 2 === 0) assert.deepStrictEqual(new Uint8Array(Fs.readFileSync(target)), OLD, place)
        }
        assert.deepStrictEqual([...tags.keys()].toSorted(), ["NoSpaceError", "success"])
      }).pipe(Effect.scoped),
    120_000
  )

  it.live("a file system that is read-only", () =>
    Effect.gen(function* () {
      const folder = yield* tmpfs
      const target = Path.join(folder, "vm.img")
      Fs.writeFileSync(target, OLD)
      mount("-o", "remount,ro", folder)
      const tag = tagOf(yield* Effect.exit(saveTo(target)), "read-only")
      assert.include(["FileIoError", "FilePermissionError"], tag)
      assert.deepStrictEqual(new Uint8Array(Fs.readFileSync(target)), OLD)
    }).pipe(Effect.scoped)
  )
})
