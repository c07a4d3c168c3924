/**
 * The process in which the project does one job: `node oursWorker.ts JOB`, with the protocol of `worker.ts`.
 */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as PerfHooks from "node:perf_hooks"
import * as Migration from "../../src/migration/Migration.ts"
import * as FileJobs from "./fileJobs.ts"
import { Job } from "./job.ts"
import { ready } from "./ready.ts"
import * as SocketJobs from "./socketJobs.ts"
import type { Reply } from "./worker.ts"

const job = Schema.decodeUnknownSync(Schema.fromJsonString(Job))(process.argv[2])

const prepare = Effect.gen(function* () {
  if (job.kind === "save" || job.kind === "restore") return { told: "", ...(yield* FileJobs.prepare(job)) }
  return { isEqual: () => true, ...(yield* SocketJobs.prepare(job)) }
})

const warmUp = Effect.gen(function* () {
  if (!job.warm) return
  yield* job.kind === "save" || job.kind === "restore" ? FileJobs.warmUp(job) : SocketJobs.warmUp(job)
})

const measured = <R>(run: Effect.Effect<Migration.Summary, Error, R>): Effect.Effect<Reply, Error, R> =>
  Effect.gen(function* () {
    const delay = PerfHooks.monitorEventLoopDelay({ resolution: 1 })
    delay.enable()
    const before = process.cpuUsage()
    const begin = performance.now()
    const { phaseMillis } = yield* run
    const total = performance.now() - begin
    const { system, user } = process.cpuUsage(before)
    delay.disable()
    return {
      total,
      cpu: (user + system) / 1000,
      phases: { ...phaseMillis },
      maxResident: process.resourceUsage().maxRSS * 1024,
      delay: { p99: delay.percentile(99) / 1e6, max: delay.max / 1e6 }
    }
  })

const main = Effect.gen(function* () {
  yield* warmUp
  const prepared = yield* prepare
  const expected = yield* ready(prepared.told)
  const reply = yield* measured(prepared.run)
  console.log(JSON.stringify({ ...reply, equal: expected === "" || prepared.isEqual(expected) }))
}).pipe(Effect.scoped, Effect.provide(Migration.layer))

NodeRuntime.runMain(main)
