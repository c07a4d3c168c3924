/**
 * A save that keeps what it has written is killed, or the power fails: all that `recover` makes of its temporary file is
 * what was saved, and it is everything that a checkpoint knew.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as References from "effect/References"
import { Buffer } from "node:buffer"
import * as ChildProcess from "node:child_process"
import * as Fs from "node:fs"
import * as Path from "node:path"
import * as Image from "../../src/image/Image.ts"
import * as Migration from "../../src/migration/Migration.ts"
import * as Recover from "../../src/migration/Recover.ts"
import * as Verify from "../../src/image/Verify.ts"
import * as FaultyFiles from "../../src/testing/FaultyFiles.ts"
import * as MemoryDisk from "../../src/testing/MemoryDisk.ts"
import { randomFrom } from "../../src/testing/internal/random.ts"
import * as Partial from "../support/faults/partial.ts"
import { settings } from "../support/settings.ts"
import * as Workspace from "../support/qemu/workspace.ts"

const { Fault } = FaultyFiles
const TARGET = "/vm.img"
const OUT = "/recovered.img"
const key = new Uint8Array(32).fill(9)

/** Failures are what is wanted, and need no log. */
const quietly = Effect.provideService(References.MinimumLogLevel, "None")

const partialsOf = (names: ReadonlyArray<string>): ReadonlyArray<string> =>
  names.filter((name) => /\.vm\.img\.[0-9a-f]+\.part$/.test(name))

/** Pages of an image that are there, each of which has to be what it was in memory; the others are zero. */
const soundPages = Effect.fnUntraced(function* (path: string, place: string, key?: Uint8Array) {
  const { blocks, readPages } = yield* Image.open(path, { key })
  let sound = 0
  for (const { idstr, pageSize, pages, reader, usedLength } of blocks) {
    const found = yield* readPages(idstr, 0, usedLength)
    const expected = Partial.memoryOf(idstr)
    for (let page = 0; page < pages; page++) {
      const [from, to] = [page * pageSize, (page + 1) * pageSize]
      if (!reader.present.has(page)) continue
      assert.strictEqual(Buffer.compare(found.subarray(from, to), expected.subarray(from, to)), 0, `${place}: ${page}`)
      sound += 1
    }
  }
  return sound
}, Effect.scoped)

/** What can be made of a temporary file: how many pages, and whether the device state is among it. */
const recovered = Effect.fnUntraced(function* (
  options: Pick<Recover.Options, "source" | "target" | "key">,
  place: string
) {
  const result = yield* Effect.result(quietly(Recover.run(options)))
  if (result._tag === "Failure") {
    assert.strictEqual(result.failure._tag, "MigrationRequestError", place)
    return { pages: 0, isWhole: false, lost: 0 }
  }
  const { lost, machineState, partial, summary } = result.success
  const pages = yield* soundPages(String(options.target), place)
  assert.strictEqual(pages, summary.normalPages, place)
  assert.strictEqual(partial, !machineState, place)
  return { pages, isWhole: machineState, lost: lost.length }
})

/** Saves on a disk of its own, and calls `atCall` in front of every call, and once when all is done. */
const saving = Effect.fnUntraced(function* (
  seed: number,
  options: Pick<Migration.SaveOptions, "seal">,
  atCall: (disk: MemoryDisk.MemoryDisk, call: number) => void
) {
  const disk = MemoryDisk.make({ seed })
  const files = FaultyFiles.make(({ index }) => void atCall(disk, index), disk.calls)
  yield* Effect.provide(Migration.make.save({ ...(yield* Partial.request(TARGET)), ...options }), files.layer)
  atCall(disk, files.log().length)
})

describe("a power cut", () => {
  it.live.each([
    ["with CRCs", {}],
    ["with a key", { seal: { ...Partial.seal, key } }]
  ] as const)(
    "at every call of a save that keeps what it has written, with all, none, or any of the unsynced changes: %s",
    ([, options]) =>
      Effect.gen(function* () {
        const keyed = "seal" in options ? { key } : {}
        for (let seed = 1; seed <= settings.partialSeeds; seed++) {
          const cuts: Array<readonly [disk: MemoryDisk.MemoryDisk, kind: string, place: string]> = []
          const random = randomFrom(seed)
          yield* saving(seed, { seal: Partial.seal, ...options }, (disk, call) => {
            const place = `seed ${seed}, call ${call}`
            for (const keep of [false, true]) {
              cuts.push([disk.powerCut(() => keep), keep ? "all" : "none", `${place}, kept: ${keep}`])
            }
            cuts.push([disk.powerCut(...MemoryDisk.anyLoss(random)), "some", `${place}, some kept`])
          })
          const amounts = new Set<number>()
          let unnamed = 0
          let last = 0
          for (const [disk, kind, place] of cuts) {
            const [source] = partialsOf(disk.files())
            const run = Effect.gen(function* () {
              if (source !== undefined) return yield* recovered({ source, target: OUT, ...keyed }, place)
              if (disk.read(TARGET) === undefined) return { pages: last, isWhole: false, lost: 0 }
              return { pages: yield* soundPages(TARGET, place, keyed.key), isWhole: true, lost: 0 }
            })
            const { isWhole, lost, pages } = yield* Effect.provide(run, disk.layer)
            if (isWhole && source !== undefined) unnamed += 1
            // What a checkpoint knows was on the disk before it.
            assert.strictEqual(lost, 0, place)
            if (kind !== "none") continue
            // What is durable only grows, and so does what can be made of it.
            assert.isAtLeast(pages, last, place)
            last = pages
            amounts.add(pages)
          }
          assert.strictEqual(last, Partial.normalPages)
          assert.isAtLeast(amounts.size, 4)
          // All of it, but for its first bytes or its name.
          assert.isAtLeast(unnamed, 3)
        }
      }),
    120_000
  )
})

describe("a save that keeps what it has written", () => {
  /** Saves where one call fails for good, and gives what is left. */
  const attempt = Effect.fnUntraced(function* (plan: FaultyFiles.Plan, options: MemoryDisk.Options = {}) {
    const disk = MemoryDisk.make(options)
    const files = FaultyFiles.make(plan, disk.calls)
    const request = yield* Partial.request(TARGET)
    const exit = yield* Effect.exit(Effect.provide(quietly(Migration.make.save(request)), files.layer))
    assert.deepStrictEqual(disk.openFiles(), [])
    return { disk, exit, left: partialsOf(disk.files()), calls: files.log().length }
  })

  it.live("leaves nothing where it fails before a page was written, else what can be recovered", () =>
    Effect.gen(function* () {
      const { calls } = yield* attempt(() => undefined)
      const left = { nothing: 0, pages: 0 }
      for (let call = 0; call < calls; call++) {
        let failed = false
        const {
          disk,
          exit,
          left: partials
        } = yield* attempt(({ index, name }) => {
          if (index !== call || name === "close") return undefined
          failed = true
          return Fault.Fail({ code: "EIO" })
        })
        if (!failed || exit._tag === "Success" || disk.read(TARGET) !== undefined) continue
        const [source] = partials
        left[source === undefined ? "nothing" : "pages"] += 1
        if (source === undefined) continue
        const { pages } = yield* Effect.provide(recovered({ source, target: OUT }, `call ${call}`), disk.layer)
        assert.isAbove(pages, 0, `call ${call}`)
      }
      assert.isAbove(left.nothing, 4)
      assert.isAbove(left.pages, 20)
    })
  )

  it.live("and fills the disk leaves all that it had written", () =>
    Effect.gen(function* () {
      const { disk: whole } = yield* attempt(() => undefined)
      const size = whole.read(TARGET)!.length
      let most = 0
      for (let capacity = 256 * 1024; capacity < size; capacity += 64 * 1024) {
        const { disk, exit, left } = yield* attempt(() => undefined, { capacity })
        if (exit._tag === "Success") break
        const [source] = left
        if (source === undefined) continue
        const roomier = MemoryDisk.make()
        roomier.write(source, disk.read(source)!)
        const { lost, pages } = yield* Effect.provide(
          recovered({ source, target: OUT }, `capacity ${capacity}`),
          roomier.layer
        )
        assert.strictEqual(lost, 0)
        assert.isAtLeast(pages, most)
        most = pages
      }
      assert.isAbove(most, Partial.normalPages / 2)
    })
  )

  it.live("has the permissions of an image: nobody else may read guest memory", () =>
    Effect.gen(function* () {
      let mode = 0
      yield* saving(1, { seal: Partial.seal }, (disk) => {
        const [source] = partialsOf(disk.files())
        if (source !== undefined) mode = disk.stat(source)!.mode & 0o777
      })
      assert.strictEqual(mode, 0o600)
    })
  )

  it.live("gives the same RAM as one that does not, and an image that verifies", () =>
    Effect.gen(function* () {
      const { disk } = yield* attempt(() => undefined)
      const run = Effect.gen(function* () {
        assert.isUndefined((yield* Effect.scoped(Verify.run(TARGET))).error)
        return yield* soundPages(TARGET, "complete")
      })
      assert.strictEqual(yield* Effect.provide(run, disk.layer), Partial.normalPages)
    })
  )
})

const SAVE = Path.resolve(import.meta.dirname, "../support/faults/killedPartialSave.ts")

const folder = Workspace.directory()

/** A process that saves, and kills itself after so many checkpoints. */
const killed = (target: string, checkpoints: number, cache: string) =>
  Effect.callback<NodeJS.Signals | null>((resume) => {
    const env = { ...process.env, NODE_COMPILE_CACHE: cache }
    const child = ChildProcess.spawn(process.execPath, [SAVE, target, String(checkpoints)], { env, stdio: "inherit" })
    child.on("close", (_code, signal) => resume(Effect.succeed(signal)))
    return Effect.sync(() => void child.kill("SIGKILL"))
  })

describe("SIGKILL", () => {
  it.live(
    "leaves what the last checkpoint knew",
    () =>
      Effect.gen(function* () {
        const directory = yield* folder
        for (const checkpoints of [0, 1, 3]) {
          const mine = Path.join(directory, String(checkpoints))
          Fs.mkdirSync(mine)
          const signal = yield* killed(Path.join(mine, "vm.img"), checkpoints, Path.join(directory, "cache"))
          assert.strictEqual(signal, "SIGKILL")
          const [source] = partialsOf(Fs.readdirSync(mine).map((name) => Path.join(mine, name)))
          const target = Path.join(mine, "out.img")
          const { pages } = yield* recovered({ source: source!, target }, `${checkpoints} checkpoints`)
          // A page for each of the 8 that are written between two syncs, at the least.
          assert.isAtLeast(pages, 4 * checkpoints)
          assert.isAtMost(pages, checkpoints === 0 ? 0 : Partial.normalPages)
        }
      }).pipe(Effect.scoped),
    120_000
  )
})
