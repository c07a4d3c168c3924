/**
 * QEMU's monitor commands for migrations, with their results.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { type QemuStatistics as QemuStatisticsType, QemuStatistics } from "./QemuStatistics.ts"
import { AnyNumber, lenient } from "./internal/lenient.ts"
import * as RamBlockTable from "./internal/ramBlockTable.ts"
import type { Client } from "./QmpClient.ts"
import type { QmpError } from "./QmpError.ts"
import type { RamBlock } from "./internal/qmpCommandsModel.ts"

export type { RamBlock } from "./internal/qmpCommandsModel.ts"

/**
 * The guest's run state. `status` is QEMU's `RunState`: `running`, `paused`, `prelaunch`, `inmigrate`,
 * `finish-migrate`, `postmigrate`, …
 *
 * @stability unstable
 * @category schemas
 * @since 0.1.0
 */
export const RunState = Schema.Struct({ status: Schema.String, running: Schema.Boolean })

/**
 * @stability unstable
 * @category models
 * @since 0.1.0
 */
export type RunState = typeof RunState.Type

/**
 * The guest's memory in bytes; `plugged-memory` was hot-plugged, and is absent if the machine does not support that.
 *
 * @stability unstable
 * @category schemas
 * @since 0.1.0
 */
export const MemorySize = Schema.Struct({
  "base-memory": lenient(AnyNumber),
  "plugged-memory": lenient(AnyNumber)
})

/**
 * @stability unstable
 * @category models
 * @since 0.1.0
 */
export type MemorySize = typeof MemorySize.Type

/**
 * Capabilities by name, with their states.
 *
 * @stability unstable
 * @category models
 * @since 0.1.0
 */
export type Capabilities = Readonly<Record<string, boolean>>

/**
 * Parameters by name, with QEMU's values: a queried value can be set again.
 *
 * @stability unstable
 * @category models
 * @since 0.1.0
 */
export type Parameters = Readonly<Record<string, unknown>>

type Answer<A> = Effect.Effect<A, QmpError>

/** The result of commands that return nothing. */
const Nothing = Schema.Unknown

const run = (qmp: Client, command: string, args: Readonly<Record<string, unknown>> = {}): Answer<void> =>
  Effect.asVoid(qmp.execute(command, args, Nothing))

/**
 * The guest's run state.
 *
 * @stability unstable
 * @category commands
 * @since 0.1.0
 */
export const queryStatus = (qmp: Client): Answer<RunState> => qmp.execute("query-status", {}, RunState)

/**
 * Statistics of QEMU's last migration, or of the current one so far, outgoing or incoming.
 *
 * @stability unstable
 * @category commands
 * @since 0.1.0
 */
export const queryMigrate = (qmp: Client): Answer<QemuStatisticsType> =>
  qmp.execute("query-migrate", {}, QemuStatistics)

const CapabilityList = Schema.Array(Schema.Struct({ capability: Schema.String, state: Schema.Boolean }))

/**
 * All capabilities that this QEMU knows.
 *
 * @stability unstable
 * @category commands
 * @since 0.1.0
 */
export const queryMigrateCapabilities = (qmp: Client): Answer<Capabilities> =>
  Effect.map(qmp.execute("query-migrate-capabilities", {}, CapabilityList), (list) =>
    Object.fromEntries(list.map(({ capability, state }) => [capability, state]))
  )

/**
 * Sets capabilities; the others are unchanged. Either all are accepted or none.
 *
 * @stability unstable
 * @category commands
 * @since 0.1.0
 */
export const migrateSetCapabilities = (qmp: Client, capabilities: Capabilities): Answer<void> =>
  run(qmp, "migrate-set-capabilities", {
    capabilities: Object.entries(capabilities).map(([capability, state]) => ({ capability, state }))
  })

/**
 * All parameters that this QEMU knows.
 *
 * @stability unstable
 * @category commands
 * @since 0.1.0
 */
export const queryMigrateParameters = (qmp: Client): Answer<Parameters> =>
  qmp.execute("query-migrate-parameters", {}, Schema.Record(Schema.String, Schema.Unknown))

/**
 * Sets parameters; the others are unchanged. Either all are accepted or none.
 *
 * @stability unstable
 * @category commands
 * @since 0.1.0
 */
export const migrateSetParameters = (qmp: Client, parameters: Parameters): Answer<void> =>
  run(qmp, "migrate-set-parameters", parameters)

/**
 * Starts sending the machine to `uri`. A missing peer shows later: subscribe to `MIGRATION` events first.
 *
 * @stability unstable
 * @category commands
 * @since 0.1.0
 */
export const migrate = (qmp: Client, uri: string): Answer<void> => run(qmp, "migrate", { uri })

/**
 * Makes a QEMU that was started with `-incoming defer` wait for a machine at `uri`. It listens when this has completed.
 *
 * @stability unstable
 * @category commands
 * @since 0.1.0
 */
export const migrateIncoming = (
  qmp: Client,
  uri: string,
  options: {
    /** `true` to make QEMU exit if that fails; since 9.1. Default: left out, which has the same effect. */
    readonly exitOnError?: boolean | undefined
  } = {}
): Answer<void> => run(qmp, "migrate-incoming", { uri, "exit-on-error": options.exitOnError })

/**
 * Has a destination in `postcopy-paused` listen at a URI for a source that continues.
 *
 * @stability unstable
 * @category commands
 * @since 0.1.0
 */
export const migrateRecover = (qmp: Client, uri: string): Answer<void> => run(qmp, "migrate-recover", { uri })

/**
 * Cancels an outgoing migration, if there is one. It is cancelled when its status says so.
 *
 * @stability unstable
 * @category commands
 * @since 0.1.0
 */
export const migrateCancel = (qmp: Client): Answer<void> => run(qmp, "migrate_cancel")

/**
 * Continues from `pre-switchover`.
 *
 * @stability unstable
 * @category commands
 * @since 0.1.0
 */
export const migrateContinue = (qmp: Client): Answer<void> => run(qmp, "migrate-continue", { state: "pre-switchover" })

/**
 * Stops the guest. In a QEMU that waits for a machine: the guest will not run after it has arrived.
 *
 * @stability unstable
 * @category commands
 * @since 0.1.0
 */
export const stop = (qmp: Client): Answer<void> => run(qmp, "stop")

/**
 * Resumes the guest.
 *
 * @stability unstable
 * @category commands
 * @since 0.1.0
 */
export const cont = (qmp: Client): Answer<void> => run(qmp, "cont")

/**
 * Makes QEMU exit, and waits until it has.
 *
 * @stability unstable
 * @category commands
 * @since 0.1.0
 */
export const quit = (qmp: Client): Answer<void> =>
  run(qmp, "quit").pipe(
    Effect.catchTag("QmpDisconnectedError", () => Effect.void),
    Effect.andThen(qmp.ended)
  )

/**
 * The guest's memory size.
 *
 * @stability unstable
 * @category commands
 * @since 0.1.0
 */
export const queryMemorySize = (qmp: Client): Answer<MemorySize> =>
  qmp.execute("query-memory-size-summary", {}, MemorySize)

const CompatProperty = Schema.Struct({
  "qom-type": Schema.String,
  property: Schema.String,
  value: Schema.String
})

/**
 * A machine type, with the properties that make it compatible with older QEMUs.
 *
 * @stability unstable
 * @category schemas
 * @since 0.1.0
 */
export const Machine = Schema.Struct({
  name: Schema.String,
  "compat-props": Schema.optionalKey(Schema.Array(CompatProperty))
})

/**
 * @stability unstable
 * @category models
 * @since 0.1.0
 */
export type Machine = typeof Machine.Type

/**
 * All machine types, with their compatibility properties: half a MiB. Older QEMUs, such as 9.0, refuse the query.
 *
 * @stability unstable
 * @category commands
 * @since 0.1.0
 */
export const queryMachines = (qmp: Client): Answer<ReadonlyArray<Machine>> =>
  qmp.execute("query-machines", { "compat-props": true }, Schema.Array(Machine))

const MACHINE_SUFFIX = "-machine"

/**
 * The machine type with its version, as in images: `pc-q35-10.0`.
 *
 * @stability unstable
 * @category commands
 * @since 0.1.0
 */
export const machineType = (qmp: Client): Answer<string> =>
  Effect.map(qmp.execute("qom-get", { path: "/machine", property: "type" }, Schema.String), (type) =>
    type.endsWith(MACHINE_SUFFIX) ? type.slice(0, -MACHINE_SUFFIX.length) : type
  )

/**
 * The UUID of the machine as text; zeros if it was given none (`-uuid`).
 *
 * @stability unstable
 * @category commands
 * @since 0.1.0
 */
export const queryUuid = (qmp: Client): Answer<string> =>
  Effect.map(qmp.execute("query-uuid", {}, Schema.Struct({ UUID: Schema.String })), ({ UUID }) => UUID)

/**
 * The machine's current number of virtual CPUs.
 *
 * @stability unstable
 * @category commands
 * @since 0.1.0
 */
export const queryCpuCount = (qmp: Client): Answer<number> =>
  Effect.map(qmp.execute("query-cpus-fast", {}, Schema.Array(Schema.Unknown)), (cpus) => cpus.length)

/**
 * The machine's RAM blocks. QEMU has them only as a table for people, and before 6.2 only through its other monitor.
 *
 * @stability unstable
 * @category commands
 * @since 0.1.0
 */
export const queryRamBlocks = (qmp: Client): Answer<ReadonlyArray<RamBlock>> => {
  const Table = Schema.Struct({ "human-readable-text": Schema.String })
  const table = Effect.map(qmp.execute("x-query-ramblock", {}, Table), (answer) => answer["human-readable-text"])
  const humanTable = qmp.execute("human-monitor-command", { "command-line": "info ramblock" }, Schema.String)
  return table.pipe(
    Effect.catchTag("QmpCommandError", () => humanTable),
    Effect.map(RamBlockTable.parse)
  )
}
