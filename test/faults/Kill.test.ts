/**
 * A saving process is killed, as by `kill -9`, at every call that changes the disk: in front of it, while the kernel is at
 * it, and when it is done.
 */
import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as ChildProcess from "node:child_process"
import * as Fs from "node:fs"
import * as Os from "node:os"
import * as Path from "node:path"
import { build } from "rolldown"
import * as Migration from "../../src/migration/Migration.ts"
import { contentsOf, machineOf, type Request } from "../support/machine.ts"
import { settings } from "../support/settings.ts"
import * as Workspace from "../support/qemu/workspace.ts"

const SAVE = Path.resolve(import.meta.dirname, "../support/faults/killedSave.ts")
const NO_CALL = -1
const MIN_KILLS = 300
const OLD = Buffer.from("the old image")

/** One more process than cores would only wait. */
const CONCURRENCY = Math.max(2, Os.availableParallelism())

const folder = Workspace.directory()

/** Runs a program to its end. */
const run = (program: string, request: Request) =>
  Effect.callback<{ readonly signal: NodeJS.Signals | null; readonly calls: number }>((resume) => {
    const child = ChildProcess.spawn(process.execPath, [program, JSON.stringify(request)], {
      stdio: ["ignore", "pipe", "inherit"]
    })
    let output = ""
    child.stdout.setEncoding("utf8").on("data", (text: string) => void (output += text))
    child.on("close", (_code, signal) => resume(Effect.succeed({ signal, calls: Number(output) })))
    return Effect.sync(() => void child.kill("SIGKILL"))
  })

const shape = { pages: settings.killPages, moment: "before" } as const
const moments = ["before", "during", "after"] as const

/** How a target is before the save. */
const situations = ["absent", "old", "in place"] as const
type Situation = (typeof situations)[number]

/** All ways to die, given the number of calls in each situation: at every call, each moment in another situation. */
const waysOf = (calls: Record<Situation, number>) => {
  const last = Math.max(...Object.values(calls))
  return Array.from({ length: settings.killRounds * last }, (_, index) => index)
    .flatMap((index) => {
      const shift = (index % last) + Math.floor(index / last)
      return moments.map((moment, turn) => {
        const situation = situations[(shift + turn) % situations.length]!
        return { at: index % last, moment, situation }
      })
    })
    .filter(({ at, situation }) => at < calls[situation])
}

const targetOf = (path: string, situation: Situation): Request["target"] =>
  situation === "in place" ? { path, offset: 0 } : path

type Outcome = "absent" | "old" | "no image" | "complete"

/** What is there under the final name: where it can be opened as an image, it is the whole one. */
const outcomeOf = Effect.fnUntraced(function* (path: string, situation: Situation, place: string) {
  if (!Fs.existsSync(path)) return "absent"
  if (situation === "old" && Fs.readFileSync(path).equals(OLD)) return "old"
  const found = yield* Effect.result(contentsOf(path))
  if (found._tag === "Failure") {
    assert.include(["NotMigrationImageError", "TruncatedImageError", "CorruptImageError"], found.failure._tag, place)
    return "no image"
  }
  const expected = yield* reference
  assert.deepStrictEqual(found.success, expected, place)
  return "complete"
})

const possible: Record<Situation, ReadonlyArray<Outcome>> = {
  absent: ["absent", "complete"],
  old: ["old", "complete"],
  "in place": ["no image", "complete"]
}

/** What an image holds that was saved with nobody in the way. */
const reference = Effect.gen(function* () {
  const directory = yield* folder
  const target = Path.join(directory, "vm.img")
  yield* Migration.make.save({ ...(yield* machineOf(settings.killPages)), target })
  return yield* contentsOf(target)
}).pipe(Effect.scoped, Effect.cached, Effect.runSync)

describe("a saving process that is killed", () => {
  let built = ""
  let program = ""
  let kills = 0
  const outcomes = new Set<string>()

  // In one file, and compiled once, it starts in a third of the time.
  beforeAll(async () => {
    built = Fs.mkdtempSync(Path.join(Os.tmpdir(), "effect-multifd-killed-"))
    program = Path.join(built, "killedSave.mjs")
    await build({ input: SAVE, platform: "node", output: { file: program } })
  })
  afterAll(() => Fs.rmSync(built, { recursive: true }))

  it.live.each([1, 2, 5])(
    "at any call, with %s channels, leaves no image, the old one, or a complete one",
    (channels) =>
      Effect.gen(function* () {
        const directory = yield* folder
        const prepare = (situation: Situation) => {
          const mine = Fs.mkdtempSync(Path.join(directory, "kill-"))
          const path = Path.join(mine, "vm.img")
          if (situation !== "absent") Fs.writeFileSync(path, OLD)
          return { mine, path, target: targetOf(path, situation) }
        }
        const count = (situation: Situation) =>
          Effect.map(
            run(program, { ...shape, channels, at: NO_CALL, target: prepare(situation).target }),
            ({ calls }) => calls
          )
        const calls = yield* Effect.all({ absent: count("absent"), old: count("old"), "in place": count("in place") })
        assert.isAbove(Math.min(...Object.values(calls)), 20)
        const attempt = Effect.fnUntraced(function* ({ at, moment, situation }: ReturnType<typeof waysOf>[number]) {
          const place = `${moment} call ${at} of ${calls[situation]}, ${channels} channels, ${situation}`
          const { mine, path, target } = prepare(situation)
          const { signal } = yield* run(program, { ...shape, at, moment, channels, target })
          if (signal === "SIGKILL") kills += 1
          const outcome = yield* outcomeOf(path, situation, place)
          assert.include(possible[situation], outcome, place)
          outcomes.add(`${situation}: ${outcome}`)
          const litter = Fs.readdirSync(mine).filter((name) => name !== "vm.img")
          assert.isAtMost(litter.length, 1, place)
          assert.isTrue(
            litter.every((name) => /^\.vm\.img\.[0-9a-f]+\.part$/.test(name)),
            place
          )
          Fs.rmSync(mine, { recursive: true })
        })
        yield* Effect.forEach(waysOf(calls), attempt, { concurrency: CONCURRENCY, discard: true })
      }).pipe(Effect.scoped),
    0
  )

  it("was killed often enough, and with every outcome", () => {
    assert.isAtLeast(kills, MIN_KILLS)
    const all = situations.flatMap((situation) => possible[situation].map((outcome) => `${situation}: ${outcome}`))
    assert.deepStrictEqual([...outcomes].toSorted(), all.toSorted())
  })
})
