/**
 * Guests with a monitor of their own for the library's client, and what can be said about their memory.
 */
import * as Effect from "effect/Effect"
import * as Fs from "node:fs"
import * as Path from "node:path"
import * as SocketAddress from "../../../src/io/sockets/SocketAddress.ts"
import * as QmpClient from "../../../src/qemu/QmpClient.ts"
import * as Guest from "./guest.ts"
import * as Guests from "./guests.ts"
import * as Library from "./library.ts"
import type * as Qemu from "./qemu.ts"
import * as Workload from "./workload.ts"
import type * as Workspace from "./workspace.ts"

const MIB = 1024 * 1024

/** Bytes of RAM. */
export const SIZE = 16 * MIB

/** The guest dirties its memory up to here. */
export const END = 8 * MIB

/** A guest, and the client that is connected to it. */
export interface Machine {
  readonly guest: Guest.Guest
  readonly qmp: QmpClient.Client
  /** The monitor's socket. */
  readonly socket: string
  /** The file that is its RAM. */
  readonly ram: string
}

export interface Options {
  /** Default: the QEMU of the machine. */
  readonly qemu?: Qemu.Qemu | undefined
  readonly name?: string | undefined
  /** One of the guests that people run, which must be one that boots. Default: as little as runs the workload. */
  readonly as?: Guests.Name | undefined
  readonly incoming?: boolean | undefined
  readonly machine?: string | undefined
  readonly kvm?: boolean | undefined
  readonly args?: ReadonlyArray<string> | undefined
  /**
   * Milliseconds for which it may be stopped to be migrated. Default: a minute, so that a live migration ends however slowly it
   * goes, and however much faster the guest dirties its memory.
   */
  readonly downtimeLimit?: number | undefined
}

/** The same for a guest that people run. Its memory may be there only once it has started: it waits until that is filled. */
const launchAs = Effect.fnUntraced(function* (
  space: Workspace.Workspace,
  boot: string,
  options: Options & { readonly as: Guests.Name }
) {
  const { args = [], downtimeLimit = 60_000, incoming = false, kvm, machine, name = "vm", qemu } = options
  const more = { boot, incoming, kvm, machine, qemu, label: name, size: SIZE }
  const { guest, ram, socket } = yield* Guests.start(space, options.as, {
    ...more,
    args: incoming ? args : ["-S", ...args]
  })
  yield* guest.qmp.execute("migrate-set-parameters", { "downtime-limit": downtimeLimit })
  if (incoming) return { guest, ram, socket }
  Workload.fillMemory(ram, END)
  yield* guest.qmp.execute("cont")
  return { guest, ram, socket }
})

/** Starts a guest that runs the workload, or one that waits for it. Nobody is connected to its monitor yet. */
export const launch = Effect.fnUntraced(function* (space: Workspace.Workspace, options: Options = {}) {
  const { qemu, name = "vm", incoming = false, kvm, machine, args = [], downtimeLimit = 60_000 } = options
  const [ram, boot, socket] = [space.ram(name), space.file(`${name}-boot`), space.file(`${name}-qmp`)]
  Workload.writeDisk(boot, END, options.as === undefined ? undefined : MIB)
  if (options.as !== undefined) return yield* launchAs(space, boot, { ...options, as: options.as })
  if (!incoming) Workload.writeMemory(ram, SIZE, END)
  const guest = yield* Guest.start({
    qemu,
    ram: { file: ram, size: SIZE },
    boot,
    incoming,
    kvm,
    machine,
    // A clock in guest memory would be rewritten as the guest is loaded.
    args: ["-cpu", "qemu64,kvmclock=off", "-qmp", `unix:${socket},server=on,wait=off`, ...args]
  })
  yield* guest.qmp.execute("migrate-set-parameters", { "downtime-limit": downtimeLimit })
  return { guest, ram, socket }
})

/** The same, with a client. */
export const start = Effect.fnUntraced(function* (space: Workspace.Workspace, options: Options = {}) {
  const launched = yield* launch(space, options)
  const qmp = yield* QmpClient.make({ address: SocketAddress.unix(launched.socket) })
  return { ...launched, qmp } satisfies Machine
})

/** A guest that has dirtied its memory already. */
export const running = Effect.fnUntraced(function* (space: Workspace.Workspace, options: Options = {}) {
  const machine = yield* start(space, options)
  yield* Workload.reach(machine.ram, 2)
  return machine
})

/** Waits until the guest has done something more. */
export const goesOn = ({ ram }: Pick<Machine, "ram">): Effect.Effect<void> =>
  Effect.suspend(() => Workload.reach(ram, Workload.round(ram) + 1))

/** The file that holds the RAM of an image; it fails if there was no moment at which memory looked like this. */
export const memoryOf = Effect.fnUntraced(function* (space: Workspace.Workspace, image: string) {
  const copy = space.ram(`memory-of-${Path.basename(image)}`)
  Fs.writeFileSync(copy, Buffer.alloc(SIZE, 0xa5))
  yield* Library.restore(image, [{ idstr: Guest.MAIN_BLOCK, path: copy, size: SIZE }])
  Workload.position(copy, END)
  return copy
})
