import * as Effect from "effect/Effect"
import type { Client } from "../QmpClient.ts"
import * as QmpCommands from "../QmpCommands.ts"
import type { QmpError } from "../QmpError.ts"
import type { Step } from "./rollback.ts"

/**
 * Capabilities and parameters.
 *
 * @internal
 */
export interface Settings {
  readonly capabilities: QmpCommands.Capabilities
  readonly parameters: QmpCommands.Parameters
}

const pick = <A>(from: Readonly<Record<string, A>>, names: ReadonlyArray<string>): Readonly<Record<string, A>> =>
  Object.fromEntries(Object.entries(from).filter(([name]) => names.includes(name)))

/** The known settings that differ. */
const changes = <A>(before: Readonly<Record<string, A>>, wanted: Readonly<Record<string, A>>): ReadonlyArray<string> =>
  Object.keys(wanted).filter((name) => name in before && before[name] !== wanted[name])

/**
 * Settings that QEMU is given temporarily. Those that it does not know are not set.
 *
 * @internal
 */
export interface Borrowed {
  readonly set: Effect.Effect<void, QmpError>
  readonly putBack: (qmp: Client) => Effect.Effect<void, QmpError>
  /** The changed settings with their former values, in words; `undefined`: nothing was changed. */
  readonly former: string | undefined
}

/**
 * Computes the changes, and their reversal.
 *
 * **Details**
 *
 * Capabilities are set first and restored last: with mapped-ram and compression enabled together, QEMU accepts no
 * parameters, not even one that would resolve the conflict.
 *
 * @internal
 */
export const make = (qmp: Client, before: Settings, wanted: Settings): Borrowed => {
  const capabilities = changes(before.capabilities, wanted.capabilities)
  const parameters = changes(before.parameters, wanted.parameters)
  const setCapabilities = (qmp: Client, from: Settings) =>
    capabilities.length === 0
      ? Effect.void
      : QmpCommands.migrateSetCapabilities(qmp, pick(from.capabilities, capabilities))
  const setParameters = (qmp: Client, from: Settings) =>
    parameters.length === 0 ? Effect.void : QmpCommands.migrateSetParameters(qmp, pick(from.parameters, parameters))
  const all = [...capabilities, ...parameters]
  const values = { ...before.capabilities, ...before.parameters }
  return {
    set: Effect.andThen(setCapabilities(qmp, wanted), setParameters(qmp, wanted)),
    putBack: (qmp) => Effect.andThen(setParameters(qmp, before), setCapabilities(qmp, before)),
    former: all.length === 0 ? undefined : all.map((name) => `${name}=${String(values[name])}`).join(", ")
  }
}

/**
 * Restores the settings at the end.
 *
 * @internal
 */
export const step = ({ former, putBack }: Borrowed): Step => ({
  run: putBack,
  ifNotUndone: () => (former === undefined ? undefined : `the former settings: ${former}`)
})

/** Features that must be off while a machine moves to or from an image. Only older versions know some of them. */
const unwanted = [
  "background-snapshot",
  "block",
  "compress",
  "dirty-bitmaps",
  "mapped-ram",
  "pause-before-switchover",
  "postcopy-preempt",
  "postcopy-ram",
  "rdma-pin-all",
  "release-ram",
  "switchover-ack",
  "validate-uuid",
  "x-colo",
  "x-ignore-shared",
  "xbzrle",
  "zero-blocks",
  "zero-copy-send"
]

/**
 * The settings for a migration over sockets of this machine.
 *
 * @internal
 */
export const forSockets = (options: {
  /** 0: no multifd. */
  readonly channels: number
  readonly compression: string
  readonly capabilities?: QmpCommands.Capabilities
  readonly parameters?: QmpCommands.Parameters
}): Settings => {
  const { channels, compression } = options
  return {
    capabilities: {
      ...Object.fromEntries(unwanted.map((name) => [name, false])),
      events: true,
      multifd: channels > 0,
      ...options.capabilities
    },
    parameters: {
      ...(channels > 0 ? { "multifd-channels": channels } : {}),
      "multifd-compression": compression,
      "tls-creds": "",
      mode: "normal",
      ...options.parameters
    }
  }
}
