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
import * as MigrationUri from "../../../src/io/MigrationUri.ts"
import type * as SocketAddress from "../../../src/io/SocketAddress.ts"
import * as MachineState from "../../../src/migration/MachineState.ts"
import * as Migration from "../../../src/migration/Migration.ts"
import * as MigrationParameters from "../../../src/migration/MigrationParameters.ts"
import type { MigrationStatus } from "../../../src/index.ts"
import * as QmpClient from "../../../src/qmp/QmpClient.ts"
import * as MemoryPages from "../../../src/ram/MemoryPages.ts"
import * as Monitor from "./monitor.ts"

export const MACHINE = "pc-i440fx-10.0"
export const RAM = "pc.ram"

/** What the fake is, and what became of it. */
export interface State {
  version: { major: number; minor: number; micro: number }
  running: boolean
  runState: string
  status: MigrationStatus.Status
  description: string
  blockedReasons: ReadonlyArray<string>
  capabilities: Record<string, boolean>
  parameters: Record<string, unknown>
  memory: Uint8Array
  /** Ends the monitor's connection, as a QEMU that dies does. */
  hangUp: Effect.Effect<void>
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
  version: { major: 10, minor: 0, micro: 2 },
  running: true,
  runState: "running",
  status: "none",
  description: "",
  blockedReasons: [],
  capabilities: Object.fromEntries(capabilities.map((name) => [name, false])),
  parameters: { ...MigrationParameters.defaults },
  memory: Uint8Array.from({ length: 64 * 4096 }, (_, at) => (at % 3 === 0 ? at / 4096 : 7)),
  hangUp: Effect.void
})

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
  const arrived = yield* Monitor.listen
  const scope = yield* Effect.scope
  const connecting = yield* Effect.forkChild(QmpClient.make({ address: Monitor.address, commandTimeout }))
  const connection = yield* Scope.fork(scope)
  state.hangUp = Scope.close(connection, Exit.void)
  const monitor = yield* Scope.provide(arrived, connection)
  yield* monitor.say({ QMP: { version: { qemu: state.version, package: "" }, capabilities: [] } })
  yield* monitor.answer(yield* monitor.next, {})

  let migration: Fiber.Fiber<unknown, unknown> | undefined
  const enter = (status: MigrationStatus.Status) =>
    Effect.suspend(() => {
      state.status = status
      return state.capabilities["events"] === true ? monitor.tell("MIGRATION", { status }) : Effect.void
    })
  const channels = () => (state.capabilities["multifd"] === true ? Number(state.parameters["multifd-channels"]) : 0)
  const block = () => Effect.orDie(MemoryPages.make({ idstr: RAM, memory: state.memory }))

  const send = Effect.fnUntraced(function* (uri: unknown) {
    const before = { running: state.running, runState: state.runState }
    yield* enter("setup")
    const sections = [{ name: "cpu", instanceId: 0, version: 1, data: new Uint8Array(64) }]
    const machineState = yield* MachineState.fromSections({ machine: MACHINE, sections })
    const source = { blocks: [yield* block()], machineState }
    const sending = Migration.make.send({ source, to: addressOf(uri), channels: channels() })
    yield* Effect.andThen(enter("active"), sending).pipe(
      Effect.onExit((exit) => {
        if (Exit.isSuccess(exit)) {
          Object.assign(state, { running: false, runState: "postmigrate" })
          return enter("completed")
        }
        Object.assign(state, before)
        if (Exit.hasInterrupts(exit)) return Effect.andThen(enter("cancelling"), enter("cancelled"))
        state.description = `cannot send to ${String(uri)}`
        return enter("failed")
      })
    )
  })
  const receive = Effect.fnUntraced(function* (uri: unknown, listening: Deferred.Deferred<void>) {
    yield* enter("setup")
    const blocks = [yield* block()]
    const onListening = () => Effect.asVoid(Deferred.succeed(listening, undefined))
    const receiving = { listen: addressOf(uri), blocks, channels: channels(), onListening }
    yield* Migration.make.receiveBlocks(receiving).pipe(
      Effect.onExit((exit) => {
        if (Exit.isSuccess(exit)) Object.assign(state, { running: false, runState: "paused" })
        else state.description = "load of migration failed"
        return enter(Exit.isSuccess(exit) ? "completed" : "failed")
      })
    )
  })

  const run = (running: boolean) =>
    Effect.sync(() => void Object.assign(state, { running, runState: running ? "running" : "paused" }))
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
      "qom-get": () => Effect.succeed(`${MACHINE}-machine`),
      "query-migrate-capabilities": () =>
        Effect.sync(() => Object.entries(state.capabilities).map(([capability, state]) => ({ capability, state }))),
      "query-migrate-parameters": () => Effect.sync(() => state.parameters),
      "migrate-set-capabilities": (args) =>
        Effect.sync(() => {
          for (const { capability, state: on } of args["capabilities"] as ReadonlyArray<{
            capability: string
            state: boolean
          }>) {
            state.capabilities[capability] = on
          }
          return {}
        }),
      "migrate-set-parameters": (args) => Effect.sync(() => void Object.assign(state.parameters, args)),
      stop: () => (state.runState === "inmigrate" ? Effect.succeed({}) : run(false)),
      cont: () => run(true),
      migrate: ({ uri }) =>
        Effect.map(Effect.forkIn(Effect.exit(send(uri)), scope, { startImmediately: true }), (fiber) => {
          migration = fiber
          return {}
        }),
      "migrate-incoming": ({ uri }) =>
        Effect.gen(function* () {
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
  const serve = Effect.gen(function* () {
    const request = yield* monitor.next
    log.push(request.execute)
    const command = commands[request.execute]
    if (command === undefined) return yield* monitor.refuse(request, "no such command", "CommandNotFound")
    const answer = yield* Effect.result(command(request.arguments, state))
    yield* Result.isSuccess(answer)
      ? monitor.answer(request, answer.success ?? {})
      : monitor.refuse(request, answer.failure)
  })
  yield* Effect.forkScoped(Effect.forever(serve))
  return { state, log, qmp: yield* Fiber.join(connecting) }
})
