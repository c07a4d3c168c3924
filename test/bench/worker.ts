/**
 * Measurements in a process of their own. The process prepares everything, prints `ready`, waits for a line, works, and
 * prints one line of JSON. The line is empty, or names a file that holds what should have been restored. Behind `ready`
 * stands what the process has to tell, such as where it listens.
 */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import * as ChildProcess from "node:child_process"
import * as Readline from "node:readline"

/** A measurement could not be made, or gave the wrong bytes. */
export class BenchError extends Schema.TaggedError<BenchError>()("BenchError", { reason: Schema.String }) {
  override get message() {
    return this.reason
  }
}

/** What a worker measured. */
export const Reply = Schema.Struct({
  /** Milliseconds, durable. */
  total: Schema.Number,
  /** Milliseconds of the parts of it. */
  phases: Schema.Record(Schema.String, Schema.Number),
  /** Milliseconds of processors, of all threads, in user and system mode. */
  cpu: Schema.optionalKey(Schema.Number),
  /** Whether the right bytes were restored, where that was asked. */
  equal: Schema.optionalKey(Schema.Boolean),
  /** The largest resident memory that the process ever had, in bytes. */
  maxResident: Schema.optionalKey(Schema.Number),
  /** Event-loop delay in milliseconds. */
  delay: Schema.optionalKey(Schema.Struct({ p99: Schema.Number, max: Schema.Number }))
})
export type Reply = typeof Reply.Type

const decode = Schema.decodeUnknownEffect(Schema.fromJsonString(Reply))

/** A process that is ready. */
export interface Worker {
  /** What it has to tell. */
  readonly told: string
  /** Has it work; `expected` is the file to compare with. */
  readonly run: (expected?: string) => Effect.Effect<Reply, BenchError>
}

const READY = /^ready ?/

/** Starts a program and waits until it is ready; it is killed when the scope closes. */
export const start = (
  program: string,
  args: ReadonlyArray<string>,
  environment: Readonly<Record<string, string>> = {}
): Effect.Effect<Worker, BenchError, Scope.Scope> =>
  Effect.gen(function* () {
    let stderr = ""
    const child = yield* Effect.acquireRelease(
      Effect.sync(() => ChildProcess.spawn(program, args, { env: { ...process.env, ...environment } })),
      (child) => Effect.sync(() => child.kill("SIGKILL"))
    )
    child.stderr.setEncoding("utf8").on("data", (text: string) => void (stderr += text))
    child.on("error", (error) => void (stderr += error.message))
    const lines = Readline.createInterface({ input: child.stdout })[Symbol.asyncIterator]()
    const died = () => new BenchError({ reason: `${program} ${args.join(" ")}: ${stderr}` })
    const line = Effect.promise(() => lines.next()).pipe(
      Effect.flatMap(({ done, value }) => (done === true ? Effect.fail(died()) : Effect.succeed(value)))
    )
    const told = (yield* line).replace(READY, "")
    const run: Worker["run"] = (expected = "") =>
      Effect.sync(() => child.stdin.write(`${expected}\n`)).pipe(
        Effect.andThen(line),
        Effect.flatMap((text) =>
          Effect.mapError(decode(text), () => new BenchError({ reason: `${program} ${args.join(" ")}: ${text}` }))
        ),
        Effect.filterOrFail(
          ({ equal }) => equal !== false,
          () => new BenchError({ reason: `${program} ${args.join(" ")}: restored the wrong bytes` })
        )
      )
    return { told, run }
  })

/**
 * The garbage collector runs before the work and within it, but not some time after something else: memory that is freed
 * while nothing happens is what makes the kernel give all that is free to its host, in the middle of the next measurement.
 */
const QUIET = ["--expose-gc", "--no-memory-reducer"]

/** Starts a program in a Node of its own. */
export const startNode = (
  args: ReadonlyArray<string>,
  environment?: Readonly<Record<string, string>>
): Effect.Effect<Worker, BenchError, Scope.Scope> => start(process.execPath, [...QUIET, ...args], environment)
