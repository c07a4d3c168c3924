/** What the guest does meanwhile is left as it is; what its monitor does meanwhile is made good, or told. */
import { assert, describe } from "@effect/vitest"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Image from "../../src/image/Image.ts"
import * as Migration from "../../src/migration/Migration.ts"
import * as Progress from "../../src/migration/Progress.ts"
import * as Capture from "../../src/qemu/Capture.ts"
import * as FakeQemu from "../support/worlds/fakeQemu.ts"
import { OTHER, test } from "../support/worlds/capture.ts"

const TARGET = "/images/vm.img"
const SLOWLY = 100_000

const settingsOf = ({ capabilities, parameters }: FakeQemu.State) => structuredClone({ capabilities, parameters })

/** Captures so slowly that something can happen in the middle, and keeps what is told. */
const during = Effect.fnUntraced(function* (
  qemu: FakeQemu.FakeQemu,
  options: Partial<Capture.Options>,
  happen: Effect.Effect<unknown>
) {
  const problems: Array<string> = []
  const onProblem = (problem: string) => Effect.sync(() => void problems.push(problem))
  const capturing = yield* Effect.forkChild(
    Capture.run({ qmp: qemu.qmp, target: TARGET, maxBandwidth: SLOWLY, onProblem, ...options })
  )
  while (qemu.state.status !== "active") yield* Effect.sleep("1 millis")
  yield* happen
  return { exit: yield* Fiber.await(capturing), problems }
})

/** The guest stands still from now on, in such a run state. */
const becomes = (state: FakeQemu.State, runState: string) =>
  Effect.andThen(
    Effect.sync(() => void Object.assign(state, { running: false, runState })),
    state.tell("STOP")
  )

describe("a guest that others stop while it is captured live", () => {
  for (const runState of ["paused", "guest-panicked", "shutdown", "io-error"]) {
    test(`${runState}: it stays so, the image is there, and the summary says it`, () =>
      Effect.gen(function* () {
        const qemu = yield* FakeQemu.make()
        const { exit, problems } = yield* during(qemu, { live: true }, becomes(qemu.state, runState))
        const captured = yield* exit
        assert.deepInclude(captured, { runState, downtimeMillis: undefined })
        assert.deepInclude(qemu.state, { running: false, runState, status: "cancelled" })
        assert.notInclude(qemu.log, "cont")
        assert.deepStrictEqual(problems, [])
        yield* Image.open(TARGET)
      }))
  }

  test("it is to run, but cannot: no failure, and its words", () =>
    Effect.gen(function* () {
      const qemu = yield* FakeQemu.make()
      const options = { live: true, leave: "running" } as const
      const { exit, problems } = yield* during(qemu, options, becomes(qemu.state, "shutdown"))
      assert.strictEqual((yield* exit).runState, "shutdown")
      assert.deepStrictEqual(problems, [
        'unix:/run/qmp: QEMU refused "cont": Resetting the Virtual Machine is required'
      ])
      yield* Image.open(TARGET)
    }))

  test("it is to run, and can", () =>
    Effect.gen(function* () {
      const qemu = yield* FakeQemu.make()
      const options = { live: true, leave: "running" } as const
      const { exit } = yield* during(qemu, options, becomes(qemu.state, "paused"))
      assert.strictEqual((yield* exit).runState, "running")
    }))

  test("called off: it stays so, too", () =>
    Effect.gen(function* () {
      const qemu = yield* FakeQemu.make()
      const capturing = yield* Effect.forkChild(
        Capture.run({ qmp: qemu.qmp, target: TARGET, maxBandwidth: SLOWLY, live: true })
      )
      while (qemu.state.status !== "active") yield* Effect.sleep("1 millis")
      yield* becomes(qemu.state, "paused")
      yield* Fiber.interrupt(capturing)
      assert.deepInclude(qemu.state, { running: false, runState: "paused", status: "cancelled" })
      assert.notInclude(qemu.log, "cont")
    }))
})

describe("a guest that is stopped for its capture", () => {
  test("it has panicked just before: it is not let go on", () =>
    Effect.gen(function* () {
      const qemu = yield* FakeQemu.make(undefined, {
        stop: (_args, state) => becomes(state, "guest-panicked")
      })
      const captured = yield* Capture.run({ qmp: qemu.qmp, target: TARGET })
      assert.strictEqual(captured.runState, "guest-panicked")
      assert.notInclude(qemu.log, "cont")
    }))

  test("somebody lets it go on, and it shuts down: it stays so", () =>
    Effect.gen(function* () {
      const qemu = yield* FakeQemu.make()
      const { exit } = yield* during(qemu, {}, becomes(qemu.state, "shutdown"))
      assert.strictEqual((yield* exit).runState, "shutdown")
      assert.notInclude(qemu.log, "cont")
    }))

  test("somebody lets a guest go on that was stopped before: it runs", () =>
    Effect.gen(function* () {
      const qemu = yield* FakeQemu.make((state) => Object.assign(state, { running: false, runState: "paused" }))
      const runs = Effect.sync(() => void Object.assign(qemu.state, { running: true, runState: "running" }))
      const { exit } = yield* during(qemu, {}, runs)
      assert.strictEqual((yield* exit).runState, "running")
      assert.notInclude(qemu.log, "stop")
    }))

  test("QEMU 7.2, which leaves it in postmigrate: it goes on", () =>
    Effect.gen(function* () {
      const { log, qmp, state } = yield* FakeQemu.make((state) => {
        state.version = { major: 7, minor: 2, micro: 22 }
      })
      const captured = yield* Capture.run({ qmp, target: TARGET })
      assert.include(log, "cont")
      assert.deepInclude(state, { running: true, runState: "running" })
      assert.strictEqual(captured.runState, "running")
    }))

  test("the downtime is from STOP to RESUME, by QEMU's clock; there is none where QEMU ends", () =>
    Effect.gen(function* () {
      const { qmp } = yield* FakeQemu.make()
      // The clock of this monitor stands still.
      assert.strictEqual((yield* Capture.run({ qmp, target: TARGET })).downtimeMillis, 0)
      const paused = yield* Capture.run({ qmp, target: TARGET, leave: "paused" })
      assert.deepInclude(paused, { runState: "paused", downtimeMillis: undefined })
    }))
})

describe("a monitor whose connection ends while QEMU lives", () => {
  for (const live of [false, true]) {
    test(`${live ? "live" : "stopped"}: over another one, all is put back`, (disk) =>
      Effect.gen(function* () {
        const qemu = yield* FakeQemu.make()
        const before = settingsOf(qemu.state)
        const { exit, problems } = yield* during(
          qemu,
          { live },
          Effect.suspend(() => qemu.state.cut)
        )
        assert.strictEqual((yield* Effect.flip(exit))._tag, "QmpDisconnectedError")
        assert.deepStrictEqual(problems, [])
        assert.deepInclude(qemu.state, { running: true, runState: "running" })
        assert.notStrictEqual(qemu.state.status, "active")
        assert.deepStrictEqual(settingsOf(qemu.state), before)
        assert.deepStrictEqual(disk.files(), [OTHER])
      }))
  }

  test("after the image is durable: the capture has succeeded, and the settings are put back", () =>
    Effect.gen(function* () {
      let calls = 0
      const { qmp, state } = yield* FakeQemu.make(undefined, {
        "migrate-set-parameters": (args, state) =>
          Effect.suspend(() => {
            if (++calls === 2) return Effect.andThen(Effect.forkDetach(state.cut), Effect.never)
            return Effect.sync(() => void Object.assign(state.parameters, args))
          })
      })
      const before = settingsOf(state)
      yield* Capture.run({ qmp, target: TARGET })
      assert.deepStrictEqual(settingsOf(state), before)
      assert.strictEqual(calls, 3)
    }))

  test("it cannot be reached any more: what was not undone is said", () =>
    Effect.gen(function* () {
      const qemu = yield* FakeQemu.make()
      const { exit, problems } = yield* during(
        qemu,
        {},
        Effect.suspend(() => qemu.state.hangUp)
      )
      assert.strictEqual((yield* Effect.flip(exit))._tag, "QmpDisconnectedError")
      assert.lengthOf(problems, 1)
      assert.match(
        problems[0]!,
        /^the connection to QEMU's monitor has ended: unix:\/run\/qmp: cannot connect \(ENOENT\); not undone, if QEMU still runs: the migration, .*; the former settings: .*; the guest, which ran before and may be stopped: cont resumes it$/
      )
    }))
})

describe("a QEMU that hangs", () => {
  test("between its answer to migrate and its connections", (disk) =>
    Effect.gen(function* () {
      const { qmp, state } = yield* FakeQemu.make(undefined, { migrate: () => Effect.succeed({}) })
      const error = yield* Effect.flip(Capture.run({ qmp, target: TARGET, timeout: "200 millis" }))
      assert(error._tag === "PeerTimeoutError")
      assert.include(error.message, "timed out after 0.2 s waiting for QEMU to connect and to announce its machine")
      assert.isTrue(state.running)
      assert.deepStrictEqual(disk.files(), [OTHER])
    }))

  test("when everything has arrived: in time, nothing at the target, and what was not undone is said", (disk) =>
    Effect.gen(function* () {
      const problems: Array<string> = []
      const { qmp } = yield* FakeQemu.make(undefined, { migrate_cancel: () => Effect.never }, "200 millis")
      const onProblem = (problem: string) => Effect.sync(() => void problems.push(problem))
      const error = yield* Effect.flip(Capture.run({ qmp, target: TARGET, onProblem }))
      assert(error._tag === "PeerTimeoutError")
      assert.include(error.message, 'waiting for an answer to "migrate_cancel"')
      assert.lengthOf(problems, 1)
      assert.include(problems[0], "not undone: the migration, ")
      assert.deepStrictEqual(disk.files(), [OTHER])
    }))

  test("behind the image: the error in time, and that the image is complete", () =>
    Effect.gen(function* () {
      const problems: Array<string> = []
      const onProblem = (problem: string) => Effect.sync(() => void problems.push(problem))
      const { qmp } = yield* FakeQemu.make((state) => {
        state.isMute = true
      })
      const options = { live: true, leave: "paused", timeout: "200 millis", onProblem } as const
      const error = yield* Effect.flip(Capture.run({ qmp, target: TARGET, ...options }))
      assert.strictEqual(error._tag, "PeerTimeoutError")
      assert.strictEqual(problems.at(-1), `${TARGET}: the image is complete`)
      yield* Image.open(TARGET)
    }))

  test("it does not end when it is told to: the same", () =>
    Effect.gen(function* () {
      const problems: Array<string> = []
      const onProblem = (problem: string) => Effect.sync(() => void problems.push(problem))
      const { qmp } = yield* FakeQemu.make(undefined, { quit: () => Effect.succeed({}) })
      const options = { leave: "quit", timeout: "200 millis", onProblem } as const
      const error = yield* Effect.flip(Capture.run({ qmp, target: TARGET, ...options }))
      assert(error._tag === "PeerTimeoutError")
      assert.include(error.message, "timed out after 0.2 s waiting for QEMU to exit")
      assert.deepStrictEqual(problems, [`${TARGET}: the image is complete`])
    }))
})

describe("the rounds of a live capture", () => {
  /** Tells passes that leave so much each, while it is captured. */
  const rounds = Effect.fnUntraced(function* (left: ReadonlyArray<number>, options: Partial<Capture.Options>) {
    let remaining = 0
    const qemu = yield* FakeQemu.make(undefined, {
      "query-migrate": (_args, { status }) => Effect.succeed({ status, ram: { remaining } })
    })
    const passes = Effect.gen(function* () {
      for (const [index, bytes] of left.entries()) {
        remaining = bytes
        yield* qemu.state.tell("MIGRATION_PASS", { pass: index + 1 })
        yield* Effect.sleep("30 millis")
      }
    })
    const { exit, problems } = yield* during(qemu, { live: true, ...options }, passes)
    return { qemu, captured: yield* exit, problems }
  })

  test("three in a row that do not shrink what is left: one warning", () =>
    Effect.gen(function* () {
      const { problems } = yield* rounds([9e6, 5e6, 5e6, 6e6, 6e6, 6e6, 7e6], {})
      assert.lengthOf(problems, 1)
      assert.match(
        problems[0]!,
        /^unix:\/run\/qmp: 3 rounds in a row did not shrink what is left \(6 MiB\): .*--max-rounds/
      )
    }))

  test("as long as they shrink now and then, or nothing is left: none", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual((yield* rounds([9e6, 5e6, 6e6, 6e6, 4e6, 5e6, 5e6], {})).problems, [])
      assert.deepStrictEqual((yield* rounds([9e6, 0, 0, 0, 0, 0], {})).problems, [])
    }))

  test("after so many the guest is stopped, and goes on when the rest is copied", () =>
    Effect.gen(function* () {
      const { captured, qemu } = yield* rounds([9e6, 8e6, 7e6], { maxRounds: 2 })
      assert.deepStrictEqual(
        qemu.log.filter((command) => command === "stop" || command === "cont"),
        ["stop", "cont"]
      )
      assert.strictEqual(captured.runState, "running")
      assert.isDefined(captured.downtimeMillis)
      const { qemu: other } = yield* rounds([9e6, 8e6], { maxRounds: 2 })
      assert.notInclude(other.log, "stop")
    }))

  test("after such a time the same", () =>
    Effect.gen(function* () {
      const { captured, qemu } = yield* rounds([9e6, 8e6, 7e6], { maxTime: "40 millis" })
      assert.include(qemu.log, "stop")
      assert.strictEqual(captured.runState, "running")
    }))

  test("a guest that somebody has stopped already stays so", () =>
    Effect.gen(function* () {
      const qemu = yield* FakeQemu.make()
      const options = { live: true, maxTime: "30 millis" } as const
      // Without STOP, after which the rest would be copied before the time is over.
      const stops = Effect.sync(() => void Object.assign(qemu.state, { running: false, runState: "paused" }))
      const { exit } = yield* during(qemu, options, stops)
      assert.strictEqual((yield* exit).runState, "paused")
      assert.notInclude(qemu.log, "cont")
    }))

  test("this side's progress is that of the round", () =>
    Effect.gen(function* () {
      const progress = yield* Progress.makeDestination
      yield* rounds([262_144, 40_960, 8192], { progress })
      assert.deepInclude(yield* progress.snapshot, { round: 3, roundBytesTotal: 8192, bytesRemaining: 0 })
    }))

  test("the downtime limit is set, and put back; limits that are none are refused", () =>
    Effect.gen(function* () {
      let limit: unknown
      const { qmp, state } = yield* FakeQemu.make(undefined, {
        migrate: (_args, { parameters }) =>
          Effect.sync(() => void (limit = parameters["downtime-limit"])).pipe(Effect.andThen(Effect.fail("no")))
      })
      yield* Effect.flip(Capture.run({ qmp, target: TARGET, live: true, downtimeLimit: 1234 }))
      assert.strictEqual(limit, 1234)
      assert.strictEqual(state.parameters["downtime-limit"], 300)
      const wrong = { downtimeLimit: 2_000_001, maxRounds: 0, maxTime: Duration.zero }
      const error = yield* Effect.flip(Capture.run({ qmp, target: TARGET, live: true, ...wrong }))
      assert(error._tag === "VmNotReadyError")
      assert.lengthOf(error.problems, 3)
    }))
})

describe("what QEMU says of its migration", () => {
  test("is never told of the migration before", () =>
    Effect.gen(function* () {
      const seen: Array<string | undefined> = []
      const { qmp } = yield* FakeQemu.make(
        (state) => {
          state.status = "failed"
        },
        { stop: (_args, state) => Effect.andThen(Effect.sleep("50 millis"), becomes(state, "paused")) }
      )
      const onStatistics = ({ status }: { readonly status?: string }) => Effect.sync(() => void seen.push(status))
      yield* Capture.run({ qmp, target: TARGET, onStatistics, interval: "1 millis" })
      assert.isNotEmpty(seen)
      assert.notInclude(seen, "failed")
    }))
})

describe("a defect of our own", () => {
  test("is the end of the capture, whatever QEMU says of it", () =>
    Effect.gen(function* () {
      const { qmp, state } = yield* FakeQemu.make()
      const defect = new TypeError("x.transfer is no function")
      const broken = {
        ...Migration.make,
        receive: (options: Parameters<typeof Migration.make.receive>[0]) =>
          Effect.raceFirst(
            Migration.make.receive(options),
            Effect.gen(function* () {
              while (state.status !== "active") yield* Effect.sleep("1 millis")
              return yield* Effect.die(defect)
            })
          )
      }
      const exit = yield* Effect.exit(
        Effect.provideService(Capture.run({ qmp, target: TARGET, maxBandwidth: SLOWLY }), Migration.Migration, broken)
      )
      assert(exit._tag === "Failure")
      assert.deepStrictEqual(
        exit.cause.reasons.map((reason) => (reason._tag === "Die" ? reason.defect : reason._tag)),
        [defect]
      )
      assert.isTrue(state.running)
    }))
})
