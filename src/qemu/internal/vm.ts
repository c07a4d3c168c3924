import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import * as Schema from "effect/Schema"
import { PeerTimeoutError } from "../../io/sockets/ConnectionError.ts"
import * as MigrationStatus from "../../migration/MigrationStatus.ts"
import * as Options from "../../ram/Options.ts"
import * as Problem from "../../ram/Problem.ts"
import * as PipelineOptions from "../../transfer/PipelineOptions.ts"
import type { Client } from "../QmpClient.ts"
import type { QemuStatistics } from "../QemuStatistics.ts"
import * as QmpCommands from "../QmpCommands.ts"
import type { QmpError } from "../QmpError.ts"
import { VmNotReadyError } from "../VmError.ts"

/**
 * The initial state of a machine.
 *
 * @internal
 */
export interface Vm {
  readonly runState: QmpCommands.RunState
  /** The status of the last migration, or the current one. */
  readonly status: string
  readonly blockedReasons: ReadonlyArray<string>
  /** The machine type with its version. */
  readonly machine: string
  /** Bytes; 0 if unknown. */
  readonly memory: number
  readonly capabilities: QmpCommands.Capabilities
  readonly parameters: QmpCommands.Parameters
}

/** The result of a query that is only for information is empty if QEMU refuses it, or its form is unknown. */
const reported = <A extends object>(answer: Effect.Effect<A, QmpError>): Effect.Effect<Partial<A>, QmpError> =>
  Effect.catchTag(answer, ["QmpCommandError", "QmpProtocolError"], () => Effect.succeed<Partial<A>>({}))

/**
 * QEMU's statistics of its migration.
 *
 * @internal
 */
export const statistics = (qmp: Client): Effect.Effect<QemuStatistics, QmpError> =>
  reported(QmpCommands.queryMigrate(qmp))

/**
 * Queries everything that a migration needs from QEMU.
 *
 * @internal
 */
export const query = Effect.fnUntraced(function* (qmp: Client): Effect.fn.Return<Vm, QmpError> {
  const { "blocked-reasons": blockedReasons = [], status = "none" } = yield* statistics(qmp)
  const { "base-memory": base = 0, "plugged-memory": plugged = 0 } = yield* reported(QmpCommands.queryMemorySize(qmp))
  return {
    runState: yield* QmpCommands.queryStatus(qmp),
    status,
    blockedReasons,
    machine: yield* QmpCommands.machineType(qmp),
    memory: base + plugged,
    capabilities: yield* QmpCommands.queryMigrateCapabilities(qmp),
    parameters: yield* QmpCommands.queryMigrateParameters(qmp)
  }
})

/** The oldest version that was tested. */
const OLDEST = { major: 5, minor: 2 }

/**
 * Fails if there is a problem, or if QEMU is too old.
 *
 * @internal
 */
export const refuse = (
  { peer, version }: Client,
  operation: VmNotReadyError["operation"],
  problems: ReadonlyArray<Problem.Problem>
): Effect.Effect<void, VmNotReadyError> => {
  const { major, micro, minor } = version
  const isOld = major < OLDEST.major || (major === OLDEST.major && minor < OLDEST.minor)
  const [first, ...rest] = [
    ...(isOld
      ? [Problem.make(`this is QEMU ${major}.${minor}.${micro}`, `use QEMU ${OLDEST.major}.${OLDEST.minor} or later`)]
      : []),
    ...problems
  ]
  return first === undefined
    ? Effect.void
    : Effect.fail(new VmNotReadyError({ peer, operation, problems: [first, ...rest] }))
}

/**
 * QEMUs that lack a capability that a migration needs.
 *
 * @internal
 */
export const missing = ({ capabilities }: Vm, names: ReadonlyArray<string>): ReadonlyArray<Problem.Problem> =>
  names
    .filter((name) => !(name in capabilities))
    .map((name) =>
      Problem.make(
        `this QEMU does not know ${name}`,
        name === "multifd" ? "use a QEMU that does, or channels 0" : "use a QEMU that does"
      )
    )

/** The longest downtime that QEMU takes: 2000 seconds. */
const MAX_DOWNTIME = 2_000_000

const { channels } = PipelineOptions.limits

const schema = Schema.Struct({
  channels: Options.wholeNumber({ ...channels, minimum: 0 }).pipe(Options.withDefault(channels.default)),
  downtimeLimit: Schema.optional(Options.wholeNumber({ minimum: 0, maximum: MAX_DOWNTIME }, " of milliseconds")),
  maxRounds: Schema.optional(Options.positive),
  maxTime: Schema.optional(Options.time),
  timeout: Schema.optional(Options.time),
  interval: Schema.optional(Options.time)
})

/**
 * Everything that is wrong with the options of a capture or a resume.
 *
 * @internal
 */
export const optionProblems: (options: Partial<typeof schema.Encoded>) => ReadonlyArray<Problem.Problem> =
  Options.problems(schema)

/** Polling interval for states without an event, and the limit for QEMU's last steps. */
const POLL = "20 millis"
const SETTLING_MILLIS = 60_000

/** Polls until the answer is as expected. */
const until = <A>(qmp: Client, question: Effect.Effect<A, QmpError>, isIt: (answer: A) => boolean, expected: string) =>
  question.pipe(
    Effect.repeat({ until: isIt, schedule: Schedule.spaced(POLL) }),
    Effect.timeoutOrElse({
      duration: SETTLING_MILLIS,
      orElse: () => Effect.fail(new PeerTimeoutError({ peer: qmp.peer, expected, milliseconds: SETTLING_MILLIS }))
    }),
    Effect.asVoid
  )

/** `true` for a guest's run states during a migration. */
const isHeld = (status: string): boolean => status === "finish-migrate" || status === "inmigrate"

/**
 * Waits until no migration is in progress and the guest's run state is its own.
 *
 * @internal
 */
export const settled = (qmp: Client): Effect.Effect<void, QmpError> =>
  Effect.andThen(
    until(
      qmp,
      statistics(qmp),
      ({ status = "none" }) => !(MigrationStatus.isKnown(status) && MigrationStatus.isRunning(status)),
      "its migration to end"
    ),
    until(qmp, QmpCommands.queryStatus(qmp), ({ status }) => !isHeld(status), "the guest to be let go")
  )

/**
 * Cancels an outgoing migration, if there is one.
 *
 * @internal
 */
export const callOff = (qmp: Client): Effect.Effect<void, QmpError> =>
  Effect.andThen(QmpCommands.migrateCancel(qmp), settled(qmp))

/**
 * Resumes the guest, or stops it.
 *
 * @internal
 */
export const setRunning = Effect.fnUntraced(function* (
  qmp: Client,
  running: boolean
): Effect.fn.Return<void, QmpError> {
  const now = yield* QmpCommands.queryStatus(qmp)
  if (now.running !== running) yield* running ? QmpCommands.cont(qmp) : QmpCommands.stop(qmp)
})
