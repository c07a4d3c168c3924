/**
 * A QEMU without a machine: it answers a monitor as one would, and its migrations are made by the library itself. Everything
 * happens on a network in memory.
 */
import * as Deferred from "effect/Deferred"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Result from "effect/Result"
import * as Scope from "effect/Scope"
import * as Uuid from "../../../src/format/Uuid.ts"
import * as MigrationUri from "../../../src/io/sockets/MigrationUri.ts"
import type * as SocketAddress from "../../../src/io/sockets/SocketAddress.ts"
import * as MachineState from "../../../src/snapshot/MachineState.ts"
import * as BlocksTarget from "../../../src/snapshot/BlocksTarget.ts"
import * as Migration from "../../../src/migration/Migration.ts"
import * as MigrationParameters from "../../../src/qemu/MigrationParameters.ts"
import * as MigrationStatus from "../../../src/migration/MigrationStatus.ts"
import * as QmpClient from "../../../src/qemu/QmpClient.ts"
import * as MemoryPages from "../../../src/ram/MemoryPages.ts"
import * as Monitor from "./monitor.ts"

export const MACHINE = "pc-i440fx-10.0"
export const RAM = "pc.ram"

/** What the fake is, and what became of it. */
export interface State {
  /** The machine type with its version. */
  machine: string
  version: { major: number; minor: number; micro: number }
  running: boolean
  runState: string
  status: MigrationStatus.Status
  description: string
  blockedReasons: ReadonlyArray<string>
  capabilities: Record<string, boolean>
  parameters: Record<string, unknown>
  memory: Uint8Array
  /** As it is written down; zeros: none. Both sides of its migrations go by it. */
  uuid: string
  cpus: number
  /** Says of no migration how it ended, as a QEMU that hangs then. */
  isMute: boolean
  /** Ends the monitor's connection, as a QEMU that dies does. */
  hangUp: Effect.Effect<void>
  /** The same, as a relay in between does that is cut: another connection is answered. */
  cut: Effect.Effect<void>
  /** Tells of an event. */
  tell: (event: string, data?: unknown) => Effect.Effect<void>
}

/** A command that the test answers itself: with a value, or with QEMU's words of refusal. */
export type Answer = Effect.Effect<unknown, string>

export interface FakeQemu {
  readonly state: State
  readonly qmp: QmpClient.Client
  /** Every command that came, in order. */
  readonly log: ReadonlyArray<string>
}

const capabilities = ["events", "return-path", "multifd", "mapped-ram", "xbzrle", "auto-converge", "validate-uuid"]

const initial = (): State => ({
  machine: MACHINE,
  version: { major: 10, minor: 0, micro: 2 },
  running: true,
  runState: "running",
  status: "none",
  description: "",
  blockedReasons: [],
  capabilities: Object.fromEntries(capabilities.map((name) => [name, false])),
  parameters: { ...MigrationParameters.defaults },
  memory: Uint8Array.from({ length: 64 * 4096 }, (_, at) => (at % 3 === 0 ? at / 4096 : 7)),
  uuid: "00000000-0000-0000-0000-000000000000",
  cpus: 1,
  isMute: false,
  hangUp: Effect.void,
  cut: Effect.void,
  tell: () => Effect.void
})

/** A line of QEMU's table of RAM blocks. */
export const blockLine = (idstr: string, used: number, total = used): string => {
  const hex = (value: number) => `0x${value.toString(16).padStart(16, "0")}`
  return `${idstr.padStart(24)}    4 KiB  ${hex(0)} ${hex(used)} ${hex(total)} 0x00007fd2fbe00000  rw\n`
}

/** What QEMU 8.1 knows, none of it switched on. */
const of81 = {
  capabilities: [
    ...["xbzrle", "rdma-pin-all", "auto-converge", "zero-blocks", "compress", "events", "postcopy-ram", "x-colo"],
    ...["release-ram", "block", "return-path", "pause-before-switchover", "multifd", "dirty-bitmaps"],
    ...["postcopy-blocktime", "late-block-activate", "x-ignore-shared", "validate-uuid", "background-snapshot"],
    ...["zero-copy-send", "postcopy-preempt", "switchover-ack", "dirty-limit"]
  ],
  parameters: {
    "announce-initial": 50,
    "announce-max": 550,
    "announce-rounds": 5,
    "announce-step": 100,
    "compress-level": 1,
    "compress-threads": 8,
    "compress-wait-thread": true,
    "decompress-threads": 2,
    "throttle-trigger-threshold": 50,
    "cpu-throttle-initial": 20,
    "cpu-throttle-increment": 10,
    "cpu-throttle-tailslow": false,
    "tls-creds": "",
    "tls-hostname": "",
    "tls-authz": "",
    "max-bandwidth": 134_217_728,
    "downtime-limit": 300,
    "x-checkpoint-delay": 20_000,
    "block-incremental": false,
    "multifd-channels": 2,
    "multifd-compression": "none",
    "xbzrle-cache-size": 67_108_864,
    "max-postcopy-bandwidth": 0,
    "max-cpu-throttle": 99,
    "x-vcpu-dirty-limit-period": 1000,
    "vcpu-dirty-limit": 1
  }
}

/** Makes it as old as a source of a capture may be. */
export const become81 = (state: State): void => {
  state.version = { major: 8, minor: 1, micro: 5 }
  state.machine = "pc-i440fx-8.1"
  state.capabilities = Object.fromEntries(of81.capabilities.map((name) => [name, false]))
  state.parameters = { ...of81.parameters }
}

const addressOf = (uri: unknown): SocketAddress.SocketAddress =>
  Result.getOrThrow(MigrationUri.parse(String(uri))) as SocketAddress.SocketAddress

/** A QEMU, and a client that is connected to its monitor. */
export const make = Effect.fnUntraced(function* (
  change: (state: State) => void = () => {},
  overrides: Readonly<Record<string, (args: Readonly<Record<string, unknown>>, state: State) => Answer>> = {},
  commandTimeout: Duration.Input = "1 hour"
): Effect.fn.Return<FakeQemu, unknown, Scope.Scope> {
  const state = initial()
  change(state)
  const log: Array<string> = []
  const scope = yield* Effect.scope
  const listening = yield* Scope.fork(scope)
  const arrived = yield* Scope.provide(Monitor.listen, listening)
  const connecting = yield* Effect.forkChild(QmpClient.make({ address: Monitor.address, commandTimeout }))
  let connection = yield* Scope.fork(scope)
  state.cut = Effect.suspend(() => Scope.close(connection, Exit.void))
  state.hangUp = Effect.andThen(Scope.close(listening, Exit.void), state.cut)
  const accept = Effect.gen(function* () {
    const next = yield* Scope.fork(scope)
    const monitor = yield* Scope.provide(arrived, next)
    connection = next
    state.tell = (event, data) => Effect.ignoreCause(monitor.tell(event, data))
    yield* monitor.say({ QMP: { version: { qemu: state.version, package: "" }, capabilities: [] } })
    yield* monitor.answer(yield* monitor.next, {})
    return monitor
  })
  const monitor = yield* accept

  let migration: Fiber.Fiber<unknown, unknown> | undefined
  const enter = (status: MigrationStatus.Status) =>
    Effect.suspend(() => {
      state.status = status
      const isTold = state.capabilities["events"] === true && !(state.isMute && MigrationStatus.isFinal(status))
      return isTold ? state.tell("MIGRATION", { status }) : Effect.void
    })
  const channels = () => (state.capabilities["multifd"] === true ? Number(state.parameters["multifd-channels"]) : 0)
  const uuid = () => Uuid.parse(state.uuid)
  const block = () => Effect.orDie(MemoryPages.make({ idstr: RAM, memory: state.memory }))

  const send = Effect.fnUntraced(function* (uri: unknown) {
    yield* enter("setup")
    const sections = [{ name: "cpu", instanceId: 0, version: 1, data: new Uint8Array(64) }]
    const machineState = yield* MachineState.fromSections({ machine: state.machine, sections })
    const source = { blocks: [yield* block()], machineState }
    const sending = Migration.make.send({ source, to: addressOf(uri), channels: channels(), uuid: uuid() })
    yield* Effect.andThen(enter("active"), sending).pipe(
      Effect.onExit((exit) => {
        if (Exit.isSuccess(exit)) {
          Object.assign(state, { running: false, runState: "postmigrate" })
          return enter("completed")
        }
        if (state.version.major < 8 && !state.running) state.runState = "postmigrate"
        if (Exit.hasInterrupts(exit)) return Effect.andThen(enter("cancelling"), enter("cancelled"))
        state.description = `cannot send to ${String(uri)}`
        return enter("failed")
      })
    )
  })
  const receive = Effect.fnUntraced(function* (uri: unknown, listening: Deferred.Deferred<void>) {
    yield* enter("setup")
    const target = BlocksTarget.make([yield* block()])
    const onListening = () => Effect.asVoid(Deferred.succeed(listening, undefined))
    const receiving = { listen: addressOf(uri), target, channels: channels(), uuid: uuid(), onListening }
    yield* Migration.make.receive(receiving).pipe(
      Effect.onExit((exit) => {
        if (Exit.isSuccess(exit)) Object.assign(state, { running: false, runState: "paused" })
        else state.description = "load of migration failed"
        return enter(Exit.isSuccess(exit) ? "completed" : "failed")
      })
    )
  })

  const run = (running: boolean) =>
    Effect.suspend((): Effect.Effect<void, string> => {
      // What is stopped already stays as it is.
      if (state.running === running) return Effect.void
      if (state.runState === "shutdown") return Effect.fail("Resetting the Virtual Machine is required")
      Object.assign(state, { running, runState: running ? "running" : "paused" })
      return state.tell(running ? "RESUME" : "STOP")
    })
  const commands: typeof overrides = {
    ...({
      "query-status": () => Effect.sync(() => ({ status: state.runState, running: state.running })),
      "query-migrate": () =>
        Effect.sync(() => ({
          ...(state.status === "none" ? {} : { status: state.status }),
          ...(state.description === "" ? {} : { "error-desc": state.description }),
          ...(state.blockedReasons.length === 0 ? {} : { "blocked-reasons": state.blockedReasons })
        })),
      "query-memory-size-summary": () => Effect.sync(() => ({ "base-memory": state.memory.length })),
      "query-uuid": () => Effect.sync(() => ({ UUID: state.uuid })),
      "query-cpus-fast": () =>
        Effect.sync(() => Array.from({ length: state.cpus }, (_, index) => ({ "cpu-index": index }))),
      "x-query-ramblock": () => Effect.sync(() => ({ "human-readable-text": blockLine(RAM, state.memory.length) })),
      "qom-get": () => Effect.sync(() => `${state.machine}-machine`),
      "query-migrate-capabilities": () =>
        Effect.sync(() => Object.entries(state.capabilities).map(([capability, state]) => ({ capability, state }))),
      "query-migrate-parameters": () => Effect.sync(() => state.parameters),
      "migrate-set-capabilities": (args) =>
        Effect.suspend(() => {
          const list = args["capabilities"] as ReadonlyArray<{ capability: string; state: boolean }>
          const wanted = Object.fromEntries(list.map(({ capability, state }) => [capability, state]))
          const unknown = Object.keys(wanted).find((name) => !(name in state.capabilities))
          if (unknown !== undefined) return Effect.fail(`Parameter 'capability' does not accept value '${unknown}'`)
          const all = { ...state.capabilities, ...wanted }
          const rival = ["compress", "xbzrle"].find((name) => all[name] === true)
          if (all["multifd"] === true && rival !== undefined) {
            return Effect.fail(`Multifd is not compatible with ${rival}`)
          }
          Object.assign(state.capabilities, wanted)
          return Effect.succeed({})
        }),
      "migrate-set-parameters": (args) =>
        Effect.suspend(() => {
          const unknown = Object.keys(args).find((name) => !(name in state.parameters))
          if (unknown !== undefined) return Effect.fail(`Parameter '${unknown}' is unexpected`)
          Object.assign(state.parameters, args)
          return Effect.succeed({})
        }),
      stop: () => (state.runState === "inmigrate" ? Effect.succeed({}) : run(false)),
      cont: () => run(true),
      migrate: ({ uri }) =>
        Effect.suspend(() => {
          const strange = ["block", "compress", "mapped-ram", "xbzrle"].find(
            (name) => state.capabilities[name] === true
          )
          if (strange !== undefined) return Effect.fail(`no migration with ${strange} to a socket here`)
          return Effect.map(Effect.forkIn(Effect.exit(send(uri)), scope, { startImmediately: true }), (fiber) => {
            migration = fiber
            return {}
          })
        }),
      "migrate-incoming": ({ uri, ...others }) =>
        Effect.gen(function* () {
          const { major, minor } = state.version
          const isOld = major < 9 || (major === 9 && minor < 1)
          if (isOld && "exit-on-error" in others) return yield* Effect.fail("Parameter 'exit-on-error' is unexpected")
          const listening = yield* Deferred.make<void>()
          yield* Effect.forkIn(Effect.exit(receive(uri, listening)), scope)
          yield* Deferred.await(listening)
          return {}
        }),
      migrate_cancel: () =>
        Effect.suspend(() => {
          const fiber = migration
          migration = undefined
          return fiber === undefined ? Effect.succeed({}) : Effect.as(Fiber.interrupt(fiber), {})
        })
    } satisfies typeof overrides),
    ...overrides
  }
  const serve = Effect.fnUntraced(function* (monitor: Monitor.Monitor) {
    const request = yield* monitor.next
    log.push(request.execute)
    const command = commands[request.execute]
    if (command === undefined) return yield* monitor.refuse(request, "no such command", "CommandNotFound")
    const answer = yield* Effect.result(command(request.arguments, state))
    yield* Result.isSuccess(answer)
      ? monitor.answer(request, answer.success ?? {})
      : monitor.refuse(request, answer.failure)
  })
  const serveAll = (monitor: Monitor.Monitor) => Effect.forkIn(Effect.forever(serve(monitor)), scope)
  yield* serveAll(monitor)
  yield* Effect.forkScoped(Effect.forever(Effect.flatMap(accept, serveAll)))
  return { state, log, qmp: yield* Fiber.join(connecting) }
})
