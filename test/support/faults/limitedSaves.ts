/**
 * A process that saves a small machine again and again, each time with another limit to the size of its files, and prints
 * a line for each: the error's tag, or `success`.
 *
 *     node limitedSaves.ts '{ "target": …, "pages": 48, "limits": [4096, …] }'
 */
import * as Effect from "effect/Effect"
import * as References from "effect/References"
import * as Result from "effect/Result"
import * as ChildProcess from "node:child_process"
import * as Fs from "node:fs"
import * as Migration from "../../../src/migration/Migration.ts"
import { machineOf } from "../machine.ts"

/** What such a process is told. Limits are in bytes. */
export interface Limited {
  readonly target: string | { readonly path: string; readonly offset: number }
  readonly pages: number
  readonly limits: ReadonlyArray<number>
}

const { limits, pages, target }: Limited = JSON.parse(process.argv[2]!)

const limit = (bytes: number | "unlimited") =>
  ChildProcess.execFileSync("prlimit", ["--pid", String(process.pid), `--fsize=${bytes}:unlimited`])

const program = Effect.gen(function* () {
  const machine = yield* machineOf(pages)
  for (const bytes of limits) {
    limit(bytes)
    const result = yield* Effect.result(Migration.make.save({ ...machine, target, batchSize: 4 * 4096 }))
    limit("unlimited")
    Fs.writeSync(1, `${Result.isSuccess(result) ? "success" : result.failure._tag}\n`)
  }
})

await Effect.runPromise(Effect.provideService(program, References.MinimumLogLevel, "None"))
