import * as MigrationStatus from "../../migration/MigrationStatus.ts"
import * as PeerLimits from "../../multifd/PeerLimits.ts"
import * as Problem from "../../ram/Problem.ts"
import * as PipelineOptions from "../../transfer/PipelineOptions.ts"
import type { Options } from "../CaptureOptions.ts"
import type { Client } from "../QmpClient.ts"
import type * as QmpCommands from "../QmpCommands.ts"
import * as BorrowedSettings from "./borrowedSettings.ts"
import * as Vm from "./vm.ts"
import * as Waits from "./waits.ts"

/** Run states in which QEMU does not send a machine, with the way out. */
const unsendable: Readonly<Record<string, string>> = {
  inmigrate: "give it the machine that it waits for first",
  postmigrate: "an earlier migration stopped it: let it run (cont), then capture it again",
  "finish-migrate": "wait for its migration, which is about to end"
}

/**
 * All reasons why the machine cannot be captured.
 *
 * @internal
 */
export const problemsOf = (vm: Vm.Vm, { channels, options }: Plan): ReadonlyArray<Problem.Problem> => {
  const { blockedReasons, runState, status } = vm
  return [
    ...Vm.optionProblems(options),
    ...(MigrationStatus.isKnown(status) && MigrationStatus.isRunning(status)
      ? [Problem.make(`a migration is under way (${status})`, "wait for its end, or cancel it")]
      : []),
    ...(runState.status in unsendable
      ? [Problem.make(`the guest is ${runState.status}`, unsendable[runState.status] ?? "")]
      : []),
    ...blockedReasons.map((reason) => Problem.make(`QEMU says: ${reason}`, "remove the cause")),
    ...Vm.missing(vm, [...(channels > 0 ? ["multifd"] : []), "return-path", "events"])
  ]
}

/**
 * The traces of a killed capture: a guest that it had stopped, and a combination of settings that is not chosen by
 * hand.
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
 * The guest during the capture.
 *
 * - `Live`: it runs, until QEMU stops it for the last pages
 * - `Stopped`: it ran, and the capture stops it first
 * - `AtRest`: it did not run before
 *
 * @internal
 */
export type During =
  | { readonly _tag: "Live"; readonly downtimeLimit: number | undefined }
  | { readonly _tag: "Stopped" }
  | { readonly _tag: "AtRest" }

/**
 * The machine when everything has arrived.
 *
 * - `GiveBack`: QEMU's migration is cancelled, and the guest resumes if the capture has stopped it
 * - `Leave`: the migration is cancelled, and the guest is left running or stopped, as requested
 * - `Complete`: QEMU gets the success message, and the guest stays in `postmigrate`
 * - `Quit`: like `Complete`, and then QEMU exits
 *
 * @internal
 */
export type Ending =
  | { readonly _tag: "GiveBack" }
  | { readonly _tag: "Leave"; readonly running: boolean }
  | { readonly _tag: "Complete" }
  | { readonly _tag: "Quit" }

/**
 * The steps of a capture.
 *
 * @internal
 */
export interface Plan {
  readonly options: Options<unknown, unknown>
  readonly vm: Vm.Vm
  /** 0: no multifd. */
  readonly channels: number
  readonly during: During
  readonly ending: Ending
}

const duringOf = ({ downtimeLimit, live = false }: Options<unknown, unknown>, wasRunning: boolean): During => {
  if (!wasRunning) return { _tag: "AtRest" }
  return live ? { _tag: "Live", downtimeLimit } : { _tag: "Stopped" }
}

const endingOf = ({ leave }: Options<unknown, unknown>, during: During): Ending => {
  if (leave === undefined) return { _tag: "GiveBack" }
  if (leave === "quit") return { _tag: "Quit" }
  // Only a completed migration keeps a running guest stopped.
  return leave === "paused" && during._tag === "Live"
    ? { _tag: "Complete" }
    : { _tag: "Leave", running: leave === "running" }
}

/**
 * @internal
 */
export const make = (options: Options<unknown, unknown>, vm: Vm.Vm): Plan => {
  const { channels = PipelineOptions.limits.channels.default } = options
  const during = duringOf(options, vm.runState.running)
  return { options, vm, channels, during, ending: endingOf(options, during) }
}

/**
 * `true` if QEMU gets the success message, and its guest then stays at the moment of the image.
 *
 * @internal
 */
export const completes = ({ ending }: Pick<Plan, "ending">): boolean =>
  ending._tag === "Complete" || ending._tag === "Quit"

/** A stopped guest has no downtime to limit: the bandwidth limit then applies up to the last page. */
const downtimeOf = (during: During): QmpCommands.Parameters => {
  if (during._tag !== "Live") return { "downtime-limit": 0 }
  return during.downtimeLimit === undefined ? {} : { "downtime-limit": during.downtimeLimit }
}

/**
 * The necessary settings.
 *
 * @internal
 */
export const settingsOf = ({ channels, during, options }: Plan): BorrowedSettings.Settings =>
  BorrowedSettings.forSockets({
    channels,
    compression: options.compression ?? "none",
    capabilities: { "return-path": true },
    // QEMU's own limit is not used: it ignores the data in flight on its channels.
    parameters: { "max-bandwidth": 0, ...downtimeOf(during) }
  })

/**
 * The amount of RAM is not secret; besides the guest's own there are ROMs and video memory.
 *
 * @internal
 */
export const limitsOf = ({ options: { limits, timeout }, vm }: Plan): PeerLimits.Input => ({
  ...Waits.limitsOf(timeout),
  ...limits,
  maxRam:
    limits?.maxRam ?? Math.min(Number.MAX_SAFE_INTEGER, Math.max(PeerLimits.defaults.maxRam, Math.ceil(2 * vm.memory)))
})
