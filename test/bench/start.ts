/**
 * The processor time of the command, as a multiple of that of a Node that does nothing.
 */
import * as Effect from "effect/Effect"
import * as ChildProcess from "node:child_process"
import * as Path from "node:path"
import * as MemoryPages from "../../src/ram/MemoryPages.ts"
import * as Migration from "../../src/migration/Migration.ts"
import type { Machine } from "./machine.ts"
import { atMost, type Verdict } from "./targets.ts"
import { median } from "./variant.ts"
import { BenchError } from "./worker.ts"

/** The command as it is installed: `npm run bench` builds it first. */
const COMMAND = Path.resolve(import.meta.dirname, "../../dist/bin.js")

/** Node takes a few hundredths of a second: many of them make a number. */
const RUNS = 21

const LIMITS = { version: 6, info: 7 }

/** Seconds of the processors for one process, by the shell's account. */
const processorSeconds = (...args: ReadonlyArray<string>): Effect.Effect<number, BenchError> =>
  Effect.callback((resume) => {
    const script = `TIMEFORMAT='%U %S'; time "$@" > /dev/null`
    ChildProcess.execFile("bash", ["-c", script, "bash", process.execPath, ...args], (error, _stdout, stderr) => {
      if (error !== null) return resume(Effect.fail(new BenchError({ reason: error.message })))
      const [user = 0, system = 0] = stderr.trim().split(" ").map(Number)
      return resume(Effect.succeed(user + system))
    })
  })

/** In turns, so that whatever else the machine does is the same for all of them. */
const medians = Effect.fnUntraced(function* (programs: ReadonlyArray<ReadonlyArray<string>>) {
  const rounds = Array.from({ length: RUNS }, () => Effect.forEach(programs, (args) => processorSeconds(...args)))
  yield* Effect.forEach(programs, (args) => processorSeconds(...args))
  const seconds = yield* Effect.all(rounds)
  return programs.map((_, index) => median(seconds.map((round) => round[index] ?? 0)))
})

/** Runs `--version`, and `info` of a small image. */
export const run = (machine: Machine): Effect.Effect<ReadonlyArray<Verdict>, BenchError> =>
  Effect.gen(function* () {
    const target = machine.file("tmpfs", "image")
    const block = yield* MemoryPages.make({ idstr: "pc.ram", memory: new Uint8Array(2 ** 20).fill(1) })
    yield* Migration.make.save({ target, blocks: [block] })
    const programs = [
      ["-e", "0"],
      [COMMAND, "--version"],
      [COMMAND, "info", target]
    ]
    const [node = 0, version = 0, info = 0] = yield* medians(programs)
    return [
      atMost("multifd --version, processor time", version / node, LIMITS.version, "× node -e 0"),
      atMost("multifd info of a small image, processor time", info / node, LIMITS.info, "× node -e 0")
    ]
  }).pipe(Effect.mapError((error) => new BenchError({ reason: error.message })))
