/** What QEMU only reports decides nothing: no version's way to say it fails a capture or a resume. */
import { assert, describe, it } from "@effect/vitest"
import * as Arbitrary from "effect/Arbitrary"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as Image from "../../src/image/Image.ts"
import * as Migration from "../../src/migration/Migration.ts"
import * as Capture from "../../src/qemu/Capture.ts"
import * as QemuStatistics from "../../src/qemu/QemuStatistics.ts"
import * as Resume from "../../src/qemu/Resume.ts"
import * as MemoryDisk from "../../src/testing/MemoryDisk.ts"
import * as VirtualNetwork from "../../src/testing/VirtualNetwork.ts"
import * as FakeQemu from "../support/worlds/fakeQemu.ts"
import { OTHER, test } from "../support/worlds/capture.ts"

const TARGET = "/images/vm.img"

const Value = Schema.Union([Schema.Number, Schema.BigInt, Schema.String])
const fields = (names: ReadonlyArray<string>) => Schema.Record(Schema.Literals(names), Schema.optionalKey(Value))
const times = ["total-time", "setup-time", "downtime", "expected-downtime", "cpu-throttle-percentage", "remaining"]
const said = Arbitrary.schema(
  Schema.Struct({
    top: fields([...times, "x-new"]),
    ram: fields([...Object.keys(QemuStatistics.QemuRamStatistics.fields), "x-new"]),
    memory: fields(["base-memory", "plugged-memory", "x-new"])
  })
)
type Said = typeof said extends Arbitrary.Arbitrary<infer A> ? A : never

/** A QEMU that says these things, beside the status that it has. */
const saying = ({ memory, ram, top }: Said) => ({
  "query-migrate": (_args: unknown, { status }: FakeQemu.State) =>
    Effect.succeed({ ...top, ...(status === "none" ? {} : { status, ram }) }),
  "query-memory-size-summary": () => Effect.succeed(memory)
})

const captured = Effect.fnUntraced(function* (overrides: ReturnType<typeof saying>) {
  const source = yield* FakeQemu.make(undefined, overrides)
  const onStatistics = () => Effect.void
  yield* Capture.run({ qmp: source.qmp, target: TARGET, live: true, onStatistics, interval: "1 millis" })
  assert.deepInclude(source.state, { running: true, status: "cancelled" })
})

describe("what is only reported", () => {
  it.live.prop(
    "any numbers of a migration, and of memory",
    { said },
    ({ said }) =>
      Effect.gen(function* () {
        const network = yield* VirtualNetwork.make()
        const disk = MemoryDisk.make()
        disk.write(OTHER, new Uint8Array(1))
        yield* Effect.scoped(captured(saying(said))).pipe(Effect.provide([network.layer, disk.layer, Migration.layer]))
      }),
    { arbitrary: { runs: 8 } }
  )

  test("no answer to it at all", () =>
    Effect.gen(function* () {
      const { qmp } = yield* FakeQemu.make(undefined, { "query-memory-size-summary": () => Effect.fail("no") })
      yield* Capture.run({ qmp, target: TARGET })
    }))

  test("an answer of no known form, when all has arrived", () =>
    Effect.gen(function* () {
      const { qmp, state } = yield* FakeQemu.make(undefined, {
        "query-migrate": (_args, { status }) => Effect.succeed(status === "active" ? [status] : { status, ram: [] })
      })
      const { statistics } = yield* Capture.run({ qmp, target: TARGET })
      assert.deepStrictEqual(statistics, {})
      assert.deepInclude(state, { running: true, status: "cancelled" })
    }))

  test("statuses never heard of, in events and answers", () =>
    Effect.gen(function* () {
      const { qmp, state } = yield* FakeQemu.make(undefined, {
        "query-migrate": (_args, { status }) =>
          Effect.succeed({ status: status === "none" || status === "cancelled" ? "renamed" : status })
      })
      yield* Capture.run({
        qmp,
        target: TARGET,
        onStatistics: () => state.tell("MIGRATION", { status: "warming-up" }),
        interval: "5 millis"
      })
      assert.deepInclude(state, { running: true, status: "cancelled" })
      const fresh = yield* FakeQemu.make((state) => Object.assign(state, { running: false, runState: "inmigrate" }), {
        "query-migrate": () => Effect.succeed({})
      })
      yield* Resume.run({ qmp: fresh.qmp, source: yield* Image.open(TARGET) })
      assert.isTrue(fresh.state.running)
    }))
})
