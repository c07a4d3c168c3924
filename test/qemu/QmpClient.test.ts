import { assert, describe, it } from "@effect/vitest"
import * as Arbitrary from "effect/Arbitrary"
import * as Config from "effect/Config"
import * as ConfigProvider from "effect/ConfigProvider"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import * as TestClock from "effect/testing/TestClock"
import * as SocketAddress from "../../src/io/sockets/SocketAddress.ts"
import * as QmpClient from "../../src/qemu/QmpClient.ts"
import * as QmpCommands from "../../src/qemu/QmpCommands.ts"
import * as VirtualNetwork from "../../src/testing/VirtualNetwork.ts"
import * as Monitor from "../support/worlds/monitor.ts"

const { address } = Monitor

/** A client that has been greeted, and the other end of its connection. */
const connect = Effect.fnUntraced(function* (options: Partial<QmpClient.Options> = {}) {
  const arrived = yield* Monitor.listen
  const client = yield* Effect.forkChild(QmpClient.make({ address, ...options }))
  const monitor = yield* arrived
  yield* monitor.greet
  return { monitor, qmp: yield* Fiber.join(client) }
})

/** What becomes of a client whose monitor does something else. */
const failure = Effect.fnUntraced(function* (
  behave: (monitor: Monitor.Monitor) => Effect.Effect<unknown, never, Scope.Scope>,
  options: Partial<QmpClient.Options> = {}
) {
  const arrived = yield* Monitor.listen
  const client = yield* Effect.forkChild(Effect.flip(Effect.scoped(QmpClient.make({ address, ...options }))))
  yield* Effect.scoped(Effect.flatMap(arrived, behave))
  return yield* Fiber.join(client)
})

/** On a network of its own, after which nothing is open. */
const test = (
  name: string,
  body: Effect.Effect<void, unknown, Scope.Scope>,
  plan: ReadonlyArray<VirtualNetwork.Rule> = []
) =>
  it.effect(name, () =>
    Effect.gen(function* () {
      const network = yield* VirtualNetwork.make({ plan })
      yield* Effect.scoped(body).pipe(Effect.provide(network.layer))
      assert.strictEqual(network.openEnds(), 0)
    })
  )

const inBackground = <A, E, R>(self: Effect.Effect<A, E, R>) => Effect.forkChild(self, { startImmediately: true })
const ask = (qmp: QmpClient.Client, command = "query-status") => qmp.execute(command, {}, Schema.Unknown)

describe("QmpClient", () => {
  test(
    "greets, negotiates, asks and reads answers",
    Effect.gen(function* () {
      const { monitor, qmp } = yield* connect()
      assert.deepStrictEqual(qmp.version, { major: 10, minor: 0, micro: 2, package: "Debian" })
      assert.strictEqual(qmp.peer, "unix:/run/qmp")
      const asking = yield* inBackground(qmp.execute("do", { a: 1, b: undefined, c: 2n ** 60n }, Schema.Number))
      const request = yield* monitor.next
      assert.deepStrictEqual(request, { execute: "do", arguments: { a: 1, c: 2 ** 60 }, id: request.id })
      yield* monitor.answer(request, 42)
      assert.strictEqual(yield* Fiber.join(asking), 42)
    })
  )

  test(
    "each caller has its own answer, in whatever order answers come",
    Effect.gen(function* () {
      const { monitor, qmp } = yield* connect()
      const callers = yield* Effect.forEach(["a", "b", "c"], (command) => inBackground(ask(qmp, command)))
      const requests = [yield* monitor.next, yield* monitor.next, yield* monitor.next]
      for (const request of requests.toReversed()) yield* monitor.answer(request, request.execute.toUpperCase())
      assert.deepStrictEqual(yield* Effect.forEach(callers, Fiber.join), ["A", "B", "C"])
    })
  )

  test(
    "a refusal is the failure of its caller, in QEMU's words",
    Effect.gen(function* () {
      const { monitor, qmp } = yield* connect()
      const asking = yield* inBackground(Effect.flip(ask(qmp, "migrate")))
      yield* monitor.refuse(yield* monitor.next, "State blocked", "GenericError")
      const error = yield* Fiber.join(asking)
      assert.strictEqual(error._tag, "QmpCommandError")
      assert.strictEqual(error.message, 'unix:/run/qmp: QEMU refused "migrate": State blocked')
      assert.strictEqual(error["~effect/Runtime/errorExitCode"], 10)
    })
  )

  test(
    "an answer of another form is the failure of its caller, and the next one is served",
    Effect.gen(function* () {
      const { monitor, qmp } = yield* connect()
      const asking = yield* inBackground(Effect.flip(QmpCommands.queryStatus(qmp)))
      yield* monitor.answer(yield* monitor.next, { status: 5 })
      const error = yield* Fiber.join(asking)
      assert.deepInclude(error, { _tag: "QmpProtocolError", command: "query-status" })
      assert.match(error.message, /answer to "query-status": expected an answer of the known form/)
      const again = yield* inBackground(QmpCommands.queryStatus(qmp))
      yield* monitor.answer(yield* monitor.next, { status: "running", running: true })
      assert.isTrue((yield* Fiber.join(again)).running)
    })
  )

  test(
    "the end of the connection fails everybody who waits, and everybody who comes",
    Effect.gen(function* () {
      const arrived = yield* Monitor.listen
      const client = yield* Effect.forkChild(QmpClient.make({ address }))
      const connection = yield* Scope.make()
      const monitor = yield* Scope.provide(arrived, connection)
      yield* monitor.greet
      const qmp = yield* Fiber.join(client)
      const callers = yield* Effect.forEach(["a", "b"], (command) => inBackground(Effect.flip(ask(qmp, command))))
      const events = yield* inBackground(Effect.flip(Stream.runDrain(qmp.events)))
      yield* monitor.next
      yield* monitor.next
      yield* Scope.close(connection, Exit.void)
      yield* qmp.ended
      const errors = yield* Effect.forEach(callers, Fiber.join)
      assert.deepStrictEqual(
        errors.map((error) => [error._tag, "command" in error && error.command]),
        [
          ["QmpDisconnectedError", "a"],
          ["QmpDisconnectedError", "b"]
        ]
      )
      assert.strictEqual((yield* Fiber.join(events))._tag, "QmpDisconnectedError")
      const late = yield* Effect.flip(ask(qmp, "late"))
      assert.include(late.message, 'the connection to QEMU\'s monitor ended before an answer to "late"')
      assert.strictEqual((yield* Effect.flip(Stream.runDrain(qmp.events)))._tag, "QmpDisconnectedError")
    })
  )

  test(
    "leaving the scope fails the callers",
    Effect.gen(function* () {
      const arrived = yield* Monitor.listen
      const scope = yield* Scope.make()
      const client = yield* Effect.forkChild(Scope.provide(QmpClient.make({ address }), scope))
      const monitor = yield* arrived
      yield* monitor.greet
      const qmp = yield* Fiber.join(client)
      const asking = yield* inBackground(Effect.flip(ask(qmp)))
      yield* monitor.next
      yield* Scope.close(scope, Exit.void)
      assert.strictEqual((yield* Fiber.join(asking))._tag, "QmpDisconnectedError")
    })
  )

  test(
    "a connection that is reset in the middle of an answer",
    Effect.gen(function* () {
      const { monitor, qmp } = yield* connect()
      const asking = yield* inBackground(Effect.flip(ask(qmp)))
      yield* monitor.answer(yield* monitor.next, "x".repeat(300))
      const error = yield* Fiber.join(asking)
      assert.strictEqual(error._tag, "QmpDisconnectedError")
      assert.strictEqual((error as { readonly cause?: { readonly _tag?: string } }).cause?._tag, "ConnectionLostError")
    }),
    [{ from: "listener", at: 300, fault: VirtualNetwork.Fault.Reset() }]
  )

  test(
    "one byte at a time",
    Effect.gen(function* () {
      const { monitor, qmp } = yield* connect()
      const asking = yield* inBackground(ask(qmp))
      yield* monitor.answer(yield* monitor.next, { status: "paused" })
      assert.deepStrictEqual(yield* Fiber.join(asking), { status: "paused" })
    }),
    [{ from: "listener", fault: VirtualNetwork.Fault.Short({ bytes: 1 }) }]
  )

  test(
    "an answer that does not come in time, and comes later",
    Effect.gen(function* () {
      const { monitor, qmp } = yield* connect({ commandTimeout: "5 seconds" })
      const asking = yield* inBackground(Effect.flip(ask(qmp)))
      const request = yield* monitor.next
      yield* TestClock.adjust("5 seconds")
      const error = yield* Fiber.join(asking)
      assert.deepInclude(error, { _tag: "PeerTimeoutError", milliseconds: 5000 })
      assert.include(error.message, 'timed out after 5 s waiting for an answer to "query-status"')
      yield* monitor.answer(request, "late")
      const again = yield* inBackground(ask(qmp, "again"))
      yield* monitor.answer(yield* monitor.next, "in time")
      assert.strictEqual(yield* Fiber.join(again), "in time")
    })
  )

  test(
    "a command may have more time, or less",
    Effect.gen(function* () {
      const { monitor, qmp } = yield* connect({ commandTimeout: "5 seconds" })
      const slow = yield* inBackground(qmp.execute("slow", {}, Schema.Unknown, { timeout: "1 hour" }))
      const request = yield* monitor.next
      const quick = yield* inBackground(Effect.flip(qmp.execute("quick", {}, Schema.Unknown, { timeout: "1 second" })))
      yield* monitor.next
      yield* TestClock.adjust("10 minutes")
      assert.deepInclude(yield* Fiber.join(quick), { _tag: "PeerTimeoutError", milliseconds: 1000 })
      yield* monitor.answer(request, 1)
      assert.strictEqual(yield* Fiber.join(slow), 1)
    })
  )

  test(
    "an interrupted caller's answer is nobody's",
    Effect.gen(function* () {
      const { monitor, qmp } = yield* connect()
      const asking = yield* inBackground(ask(qmp, "first"))
      const request = yield* monitor.next
      yield* Fiber.interrupt(asking)
      yield* monitor.answer(request, 1)
      const again = yield* inBackground(ask(qmp, "second"))
      yield* monitor.answer(yield* monitor.next, 2)
      assert.strictEqual(yield* Fiber.join(again), 2)
    })
  )

  test(
    "a command whose caller is gone before it was sent is not sent",
    Effect.gen(function* () {
      const { monitor, qmp } = yield* connect()
      // The connection takes 64 KiB, and this monitor does not read yet.
      const large = yield* inBackground(qmp.execute("large", { text: "x".repeat(200_000) }, Schema.Unknown))
      const waiting = yield* inBackground(ask(qmp, "regretted"))
      yield* Fiber.interrupt(waiting)
      const last = yield* inBackground(ask(qmp, "last"))
      const requests = [yield* monitor.next, yield* monitor.next]
      assert.deepStrictEqual(
        requests.map(({ execute }) => execute),
        ["large", "last"]
      )
      for (const request of requests) yield* monitor.answer(request, {})
      yield* Fiber.join(large)
      yield* Fiber.join(last)
    })
  )

  test(
    "events: every subscriber has all of them from its subscription on, with the answers between them",
    Effect.gen(function* () {
      const { monitor, qmp } = yield* connect()
      yield* monitor.tell("BEFORE")
      const asking = yield* inBackground(ask(qmp))
      yield* monitor.answer(yield* monitor.next, {})
      yield* Fiber.join(asking)
      const [one, two] = [yield* qmp.subscribe, yield* qmp.subscribe]
      const waiting = yield* inBackground(ask(qmp))
      const request = yield* monitor.next
      yield* monitor.tell("STOP")
      yield* monitor.answer(request, {})
      yield* monitor.tell("MIGRATION", { status: "active" })
      yield* Fiber.join(waiting)
      for (const stream of [one, two]) {
        assert.deepStrictEqual(yield* Stream.runCollect(Stream.take(stream, 2)), [
          { name: "STOP", data: {}, time: 1_795_272_036_642.827 },
          { name: "MIGRATION", data: { status: "active" }, time: 1_795_272_036_642.827 }
        ])
      }
    })
  )

  test(
    "a subscriber that takes nothing loses its events, and nobody else does",
    Effect.gen(function* () {
      const { monitor, qmp } = yield* connect()
      const slow = yield* qmp.subscribe
      const quick = yield* inBackground(Stream.runCollect(Stream.take(qmp.events, QmpClient.MAX_WAITING_EVENTS + 1)))
      yield* Effect.forEach(
        Array.from({ length: QmpClient.MAX_WAITING_EVENTS + 1 }),
        () => monitor.tell("RTC_CHANGE"),
        {
          discard: true
        }
      )
      assert.lengthOf(yield* Fiber.join(quick), QmpClient.MAX_WAITING_EVENTS + 1)
      const error = yield* Effect.flip(Stream.runDrain(slow))
      assert.deepInclude(error, { _tag: "QmpEventsLostError", limit: QmpClient.MAX_WAITING_EVENTS })
      assert.include(error.message, "took its events too slowly: 4096 of them were waiting")
      const asking = yield* inBackground(ask(qmp))
      yield* monitor.answer(yield* monitor.next, 1)
      assert.strictEqual(yield* Fiber.join(asking), 1)
    })
  )

  test(
    "the layer provides the client",
    Effect.gen(function* () {
      const arrived = yield* Monitor.listen
      const program = Effect.gen(function* () {
        const qmp = yield* QmpClient.QmpClient
        return qmp.version.major
      })
      const running = yield* inBackground(Effect.provide(program, Layer.fresh(QmpClient.layer({ address }))))
      yield* (yield* arrived).greet
      assert.strictEqual(yield* Fiber.join(running), 10)
    })
  )

  test(
    "the layer of a configuration reads its options by their names",
    Effect.gen(function* () {
      const layer = QmpClient.layerConfig({
        address: Config.map(Config.String("QMP"), SocketAddress.unix),
        commandTimeout: Config.withDefault(Config.Duration("TIMEOUT"), Duration.seconds(60))
      })
      const client = (env: Record<string, string>) =>
        QmpClient.QmpClient.pipe(
          Effect.provide(Layer.fresh(layer)),
          Effect.provideService(ConfigProvider.ConfigProvider, ConfigProvider.fromEnv({ env }))
        )
      const missing = yield* Effect.flip(client({}))
      assert.deepStrictEqual([missing._tag, missing.message.includes("QMP")], ["ConfigError", true])
      const arrived = yield* Monitor.listen
      const running = yield* inBackground(client({ QMP: "/run/qmp", TIMEOUT: "5 seconds" }))
      yield* (yield* arrived).greet
      assert.strictEqual(Duration.toSeconds((yield* Fiber.join(running)).commandTimeout), 5)
    })
  )

  describe("what is no monitor", () => {
    test(
      "nobody listens",
      Effect.gen(function* () {
        const error = yield* Effect.flip(QmpClient.make({ address }))
        assert.strictEqual(error._tag, "ConnectError")
      })
    )
    test(
      "says nothing",
      Effect.gen(function* () {
        const error = yield* failure(() => TestClock.adjust("10 seconds"))
        assert.strictEqual(error._tag, "PeerTimeoutError")
        assert.include(
          error.message,
          "timed out after 10 s waiting for QEMU's greeting (a monitor serves one client at a time)"
        )
      })
    )
    test(
      "hangs up",
      Effect.gen(function* () {
        const error = yield* failure(() => Effect.void)
        assert.strictEqual(error._tag, "QmpDisconnectedError")
        assert.include(error.message, "the connection to QEMU's monitor ended before an answer")
      })
    )
    for (const [what, said, expected] of [
      ["says something else", "SSH-2.0-OpenSSH\r\n", 'expected a JSON object, found "SSH-2.0-OpenSSH'],
      [
        "greets in another way",
        { QMP: {} },
        'expected a greeting, an answer or an event of QEMU, found "{\\"QMP\\":{}}"'
      ],
      ["sends broken JSON", '{"QMP": }', "expected valid JSON, found"],
      ["never ends", `{"a":"${"x".repeat(2000)}`, "expected a message of at most 1000 bytes, found a longer one"],
      ["answers a command that nobody gave", { return: {}, id: 7 }, "found one with the id 7"],
      ["answers with another id", { return: {}, id: 0.5 }, "found one with the id 0.5"],
      ["does not understand", { error: { class: "GenericError", desc: "JSON parse error" } }, "to accept our data"]
    ] as const) {
      test(
        `${what}: QmpProtocolError`,
        Effect.gen(function* () {
          const error = yield* failure((monitor) => monitor.say(said), { maxMessageBytes: 1000 })
          assert.strictEqual(error._tag, "QmpProtocolError")
          assert.strictEqual(error["~effect/Runtime/errorExitCode"], 8)
          assert.include(error.message, expected)
        })
      )
    }
    test(
      "refuses the negotiation",
      Effect.gen(function* () {
        const error = yield* failure((monitor) =>
          Effect.gen(function* () {
            yield* monitor.say(Monitor.greeting)
            yield* monitor.refuse(yield* monitor.next, "no", "CommandNotFound")
          })
        )
        assert.deepInclude(error, { _tag: "QmpCommandError", command: "qmp_capabilities", class: "CommandNotFound" })
      })
    )
    test(
      "breaks off after answers: those that came are good",
      Effect.gen(function* () {
        const { monitor, qmp } = yield* connect()
        const [one, two] = [yield* inBackground(ask(qmp, "one")), yield* inBackground(Effect.flip(ask(qmp, "two")))]
        const { id } = yield* monitor.next
        yield* monitor.say(`{"return": 1, "id": ${id}} oops`)
        assert.strictEqual(yield* Fiber.join(one), 1)
        assert.deepInclude(yield* Fiber.join(two), { _tag: "QmpProtocolError", command: "two" })
      })
    )
  })

  const Bytes = Arbitrary.schema(
    Schema.Array(
      Schema.Union([
        Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 255 })),
        Schema.Literals([0x7b, 0x7d, 0x22, 0x5b, 0x5d, 0x2c, 0x3a])
      ])
    )
  )
  it.effect.prop("any bytes of a peer end in an answer or a typed error", { bytes: Bytes }, ({ bytes }) =>
    Effect.gen(function* () {
      const network = yield* VirtualNetwork.make()
      const client = Effect.gen(function* () {
        const { monitor, qmp } = yield* connect({ maxMessageBytes: 1000 })
        const asking = yield* inBackground(Effect.exit(ask(qmp)))
        yield* monitor.next
        yield* monitor.say(new TextDecoder("latin1").decode(Uint8Array.from(bytes)))
        yield* monitor.say("\n]]")
        return yield* Effect.raceFirst(Fiber.join(asking), Effect.forever(TestClock.adjust("1 second")))
      })
      const exit = yield* Effect.scoped(client).pipe(Effect.provide(network.layer))
      const error = Exit.findErrorOption(exit)
      assert.isTrue(error._tag === "Some")
      assert.strictEqual(network.openEnds(), 0)
    })
  )
})
