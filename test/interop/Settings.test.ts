import { assert, it } from "@effect/vitest"
import * as Arbitrary from "effect/Arbitrary"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as Schedule from "effect/Schedule"
import * as Schema from "effect/Schema"
import * as SocketAddress from "../../src/io/sockets/SocketAddress.ts"
import * as MigrationCapabilities from "../../src/qemu/MigrationCapabilities.ts"
import * as MigrationParameters from "../../src/qemu/MigrationParameters.ts"
import * as MigrationSettings from "../../src/qemu/MigrationSettings.ts"
import * as QmpClient from "../../src/qemu/QmpClient.ts"
import * as QmpCommands from "../../src/qemu/QmpCommands.ts"
import { inspect } from "node:util"
import * as Guest from "../support/qemu/guest.ts"
import { describeQemu } from "../support/qemu/suite.ts"
import * as Workspace from "../support/qemu/workspace.ts"

const MIB = 1024 * 1024

/** Everything off and at its default, in this order: a QEMU with mapped-ram and compression takes no parameters any more. */
const reset = (qmp: QmpClient.Client, known: QmpCommands.Capabilities, initial: QmpCommands.Parameters) =>
  Effect.andThen(
    QmpCommands.migrateSetCapabilities(qmp, Object.fromEntries(Object.keys(known).map((name) => [name, false]))),
    QmpCommands.migrateSetParameters(qmp, initial)
  )

/** QEMU's own words if it does not take the settings. Some it refuses only when it is told something more. */
const refusal = (qmp: QmpClient.Client, { capabilities = {}, parameters = {} }: MigrationSettings.Input) =>
  Effect.gen(function* () {
    yield* QmpCommands.migrateSetCapabilities(qmp, capabilities as QmpCommands.Capabilities)
    yield* QmpCommands.migrateSetParameters(qmp, parameters)
    yield* QmpCommands.migrateSetParameters(qmp, {})
    return undefined
  }).pipe(Effect.catchTag("QmpCommandError", ({ description }) => Effect.succeed(description)))

const start = Effect.fnUntraced(function* (incoming = false) {
  const space = yield* Workspace.make
  const path = space.file("monitor")
  yield* Guest.start({ ram: { size: 16 * MIB }, incoming, args: ["-qmp", `unix:${path},server=on,wait=off`] })
  const qmp = yield* QmpClient.make({ address: SocketAddress.unix(path) })
  const known = yield* QmpCommands.queryMigrateCapabilities(qmp)
  const initial = yield* QmpCommands.queryMigrateParameters(qmp)
  const version = qmp.version

  /** Fails where QEMU and we disagree. */
  const compare = Effect.fnUntraced(function* (input: MigrationSettings.Input) {
    const words = yield* refusal(qmp, input)
    yield* reset(qmp, known, initial)
    const settings = MigrationSettings.validate(input, { version })
    const ours = Result.isFailure(settings) ? settings.failure.message : undefined
    assert.strictEqual(ours === undefined, words === undefined, `${inspect(input)}: ${words} / ${ours}`)
  })
  return { qmp, known, initial, compare, version }
})

const on = (...names: ReadonlyArray<string>) => Object.fromEntries(names.map((name) => [name, true]))

/** Values around every limit. Not -1: QEMU takes it for 2^64 - 1. */
const candidates: ReadonlyArray<unknown> = [
  ...[0, 1, 2, 9, 10, 20, 21, 99, 100, 101, 255, 256, 1000, 1001, 4095, 4096, 10_000, 10_001, 65_536, 100_000, 100_001],
  ...[2 ** 20 - 1, 2 ** 20, 2 ** 30, 2 ** 31, 3 * 2 ** 20],
  ...[2_000_000, 2_000_001, 2 ** 32 - 1, 2 ** 32, 2 ** 53 - 1, 2n ** 64n - 1n, 1.5],
  ...["", "x", "none", "zlib", "zstd", "legacy", "multifd", "normal", "cpr-reboot", "cpr-exec", true, false, null],
  ...[[], ["x"], [1]]
]

describeQemu("settings, as a real QEMU takes them", () => {
  it.live("names and defaults are QEMU's", () =>
    Effect.gen(function* () {
      const { initial, known, version } = yield* start()
      const unknown = Object.keys(known).filter((name) => !MigrationCapabilities.names.includes(name as never))
      assert.deepStrictEqual(unknown, [])
      const missing = Object.keys(initial).filter((name) => !(name in MigrationParameters.defaults))
      assert.deepStrictEqual(missing, [])
      const { major, minor } = version
      const isFrom = ([first, second]: readonly [number, number]) =>
        major > first || (major === first && minor >= second)
      const others = Object.entries(MigrationParameters.defaults).filter(
        ([name]) => name !== "zero-page-detection" && isFrom(MigrationParameters.since[name] ?? [0, 0])
      )
      assert.deepInclude(initial, Object.fromEntries(others))
      const names = MigrationCapabilities.names.filter((name) => !isFrom(MigrationCapabilities.until[name] ?? [99, 0]))
      assert.deepStrictEqual(Object.keys(known).toSorted(), names.toSorted())
    })
  )

  for (const incoming of [false, true]) {
    it.live(`every capability alone and with every other one, ${incoming ? "incoming" : "outgoing"}`, () =>
      Effect.gen(function* () {
        const { compare, known } = yield* start(incoming)
        const names = Object.keys(known)
        for (const name of names) yield* compare({ capabilities: on(name) })
        for (const [index, name] of names.entries()) {
          for (const other of names.slice(index + 1)) yield* compare({ capabilities: on(name, other) })
        }
      })
    )
  }

  it.live("every parameter with values around its limits", () =>
    Effect.gen(function* () {
      const { compare, initial } = yield* start()
      for (const name of Object.keys(initial)) {
        for (const value of candidates) {
          // What is refused here must be refused there because of this value, and not because it was not built in.
          if (name === "max-cpu-throttle" && typeof value === "number" && value < 20) continue
          yield* compare({ parameters: { [name]: value } })
        }
      }
    })
  )

  const Switches = Arbitrary.schema(Schema.Array(MigrationCapabilities.Capability).check(Schema.isMaxLength(6)))
  const Choices = Arbitrary.schema(
    Schema.Struct({
      "multifd-compression": Schema.optionalKey(Schema.Literals(["none", "zlib", "zstd"])),
      "tls-creds": Schema.optionalKey(Schema.Literals(["", "tls0"])),
      "cpu-throttle-initial": Schema.optionalKey(Schema.Literals([1, 50, 99])),
      "max-cpu-throttle": Schema.optionalKey(Schema.Literals([1, 50, 99])),
      "multifd-channels": Schema.optionalKey(Schema.Literals([1, 8, 255])),
      "direct-io": Schema.optionalKey(Schema.Boolean)
    })
  )
  it.live("any capabilities and parameters together", () =>
    Effect.gen(function* () {
      const { compare, known } = yield* start()
      const samples = yield* Arbitrary.sampleEffect(Arbitrary.all({ names: Switches, parameters: Choices }), {
        count: 300
      })
      for (const { names, parameters } of samples) {
        yield* compare({ capabilities: on(...names.filter((name) => name in known)), parameters })
      }
    })
  )

  it.live("capabilities that do not fit the transport are refused when the migration starts", () =>
    Effect.gen(function* () {
      const { initial, known, qmp } = yield* start()
      const uris = { unix: "unix:/nonexistent/socket", file: "file:/nonexistent/image", exec: "exec:cat >/dev/null" }
      for (const [transport, uri] of Object.entries(uris)) {
        for (const names of [["multifd"], ["mapped-ram"], ["multifd", "mapped-ram"]]) {
          yield* QmpCommands.migrateSetCapabilities(qmp, on(...names))
          const refused = yield* QmpCommands.migrate(qmp, uri).pipe(
            Effect.as(false),
            Effect.catchTag("QmpCommandError", ({ description }) =>
              Effect.succeed(description.startsWith("Migration requires"))
            )
          )
          const settings = MigrationSettings.validate(
            { capabilities: on(...names) },
            { transport: transport as "unix" }
          )
          assert.strictEqual(Result.isFailure(settings), refused, `${transport}: ${names.join(" ")}`)
          yield* QmpCommands.migrateCancel(qmp)
          // Refused until the migration has been called off.
          yield* Effect.retry(reset(qmp, known, initial), { times: 1000, schedule: Schedule.spaced("20 millis") })
        }
      }
    })
  )
})
