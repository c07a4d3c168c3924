import * as Duration from "effect/Duration"
import * as Option from "effect/Option"
import * as MigrationStatus from "../../migration/MigrationStatus.ts"
import * as PeerLimits from "../../multifd/PeerLimits.ts"
import * as PipelineOptions from "../../transfer/PipelineOptions.ts"
import type { Options } from "../CaptureOptions.ts"
import type { Client } from "../QmpClient.ts"
import * as BorrowedSettings from "./borrowedSettings.ts"
import type * as Vm from "./vm.ts"
import * as Waits from "./waits.ts"

/** The longest downtime that QEMU takes: 2000 seconds. */
const MAX_DOWNTIME = 2_000_000

/** Run states in which QEMU does not send a machine. */
const unsendable: Readonly<Record<string, string>> = {
  inmigrate: "it waits for a machine itself",
  postmigrate: "an earlier migration stopped it; it can be captured again when it has run (cont)",
  "finish-migrate": "a migration is about to end"
}

const wrongLimits = ({ downtimeLimit, maxRounds, maxTime }: Options): ReadonlyArray<string> => [
  ...(downtimeLimit === undefined ||
  (Number.isInteger(downtimeLimit) && downtimeLimit >= 0 && downtimeLimit <= MAX_DOWNTIME)
    ? []
    : [`expected a downtime limit of 0 to ${MAX_DOWNTIME} milliseconds, found ${downtimeLimit}`]),
  ...(maxRounds === undefined || (Number.isInteger(maxRounds) && maxRounds >= 1)
    ? []
    : [`expected one round or more, found ${maxRounds}`]),
  ...(maxTime === undefined || Option.exists(Duration.fromInput(maxTime), Duration.isPositive)
    ? []
    : [`expected a time longer than none, found ${String(maxTime)}`])
]

/**
 * What keeps the machine from being captured.
 *
 * @internal
 */
export const problemsOf = (
  { blockedReasons, capabilities, runState, status }: Vm.Vm,
  { channels, options }: Pick<Plan, "channels" | "options">
): ReadonlyArray<string> => [
  ...wrongLimits(options),
  ...(MigrationStatus.isKnown(status) && MigrationStatus.isRunning(status)
    ? [`expected no migration under way, found one that is ${status}`]
    : []),
  ...(runState.status in unsendable
    ? [`expected a guest that can be migrated, found it ${runState.status}: ${unsendable[runState.status]}`]
    : []),
  ...blockedReasons.map((reason) => `expected a machine that can be migrated, found in QEMU's words: ${reason}`),
  ...[...(channels > 0 ? ["multifd"] : []), "return-path", "events"]
    .filter((name) => !(name in capabilities))
    .map((name) => `expected a QEMU that knows ${name}, found none of it`)
]

/**
 * What a capture that was killed leaves behind: a guest that it had stopped, and settings that nobody chooses together.
 *
 * @internal
 */
export const isAbandoned = ({ capabilities, parameters, runState }: Vm.Vm): boolean =>
  runState.status === "paused" &&
  capabilities["return-path"] === true &&
  parameters["max-bandwidth"] === 0 &&
  parameters["downtime-limit"] === 0

/**
 * @internal
 */
export const abandoned = ({ peer }: Client): string =>
  `${peer}: the guest is stopped, and QEMU's settings are those of a capture that was killed: the guest stays stopped unless it ` +
  "is left running, and the settings stay as they are"

/**
 * What is done to the machine.
 *
 * @internal
 */
export interface Plan {
  readonly options: Options
  readonly vm: Vm.Vm
  readonly channels: number
  /** Whether the guest goes on while it is captured. */
  readonly isLive: boolean
  /** Whether the guest is stopped by us, and not by the migration. */
  readonly stops: boolean
  /** Whether QEMU is told that it is done: then the guest stays stopped. */
  readonly completes: boolean
}

/**
 * @internal
 */
export const make = (options: Options, vm: Vm.Vm): Plan => {
  const { channels = PipelineOptions.limits.channels.default, leave, live = false } = options
  const wasRunning = vm.runState.running
  const isLive = wasRunning && live
  const completes = leave === "quit" || (isLive && leave === "paused")
  return { options, vm, channels, isLive, stops: wasRunning && !live, completes }
}

/**
 * The settings that it takes.
 *
 * @internal
 */
export const settingsOf = ({ channels, isLive, options }: Plan): BorrowedSettings.Settings =>
  BorrowedSettings.forSockets({
    channels,
    compression: options.compression ?? "none",
    capabilities: { "return-path": true },
    parameters: {
      // QEMU's own limit does not hold: it leaves out what its channels have under way.
      "max-bandwidth": 0,
      // A guest that stands still is in no hurry to be stopped: the limit then holds up to the last page.
      ...(isLive ? {} : { "downtime-limit": 0 }),
      ...(isLive && options.downtimeLimit !== undefined ? { "downtime-limit": options.downtimeLimit } : {})
    }
  })

/**
 * How much RAM there is is no secret, however much it is; beside the guest's own there are ROMs and video memory.
 *
 * @internal
 */
export const limitsOf = ({ options: { limits, timeout }, vm }: Plan): PeerLimits.Input => ({
  ...Waits.limitsOf(timeout),
  ...limits,
  maxRam:
    limits?.maxRam ?? Math.min(Number.MAX_SAFE_INTEGER, Math.max(PeerLimits.defaults.maxRam, Math.ceil(2 * vm.memory)))
})
