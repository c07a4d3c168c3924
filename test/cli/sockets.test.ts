/** `send` and `receive`: one to the other in this process, and what they make of peers that are neither. */
import { assert, describe, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import type * as Scope from "effect/Scope"
import * as Fs from "node:fs"
import * as Net from "node:net"
import * as Path from "node:path"
import * as Command from "../support/cli/command.ts"
import { type Folder, folder, pages } from "../support/cli/files.ts"
import { visit } from "../support/cli/visitor.ts"

const ANY_PORT = "tcp:127.0.0.1:0"

const tls = (name: string): string => Path.resolve(import.meta.dirname, "../fixtures/tls", name)

const json = (text: string) => JSON.parse(text)

const eventsOf = (stderr: string): ReadonlyArray<Record<string, unknown>> => stderr.trimEnd().split("\n").map(json)

/** An image of two blocks, and the folder that it is in. */
const savedImage: Effect.Effect<Folder, never, Scope.Scope> = Effect.gen(function* () {
  const files = yield* folder
  files.write("ram", pages(300))
  files.write("rom", pages(7, 9))
  const blocks = ["--block", `pc.ram=${files.at("ram")}`, "--block", `pc.rom=${files.at("rom")}`]
  const { code, stderr } = yield* Command.run("save", ...blocks, files.at("vm.img"))
  assert.strictEqual(code, 0, stderr)
  return files
})

/** Receives what is sent, and gives how both ended. */
const migrate = Effect.fnUntraced(function* (
  { at }: Folder,
  options: {
    readonly listen?: string
    readonly both?: ReadonlyArray<string>
    readonly receive?: ReadonlyArray<string>
    readonly send?: ReadonlyArray<string>
  }
) {
  const { both = [], listen = ANY_PORT, receive = [], send = [] } = options
  const { ran, uri } = yield* Command.listen("--listen", listen, at("new.img"), ...both, ...receive)
  const sending = Command.run("send", at("vm.img"), "--to", uri, ...both, ...send)
  const [sent, received] = yield* Effect.all([sending, ran], { concurrency: 2 })
  return { uri, sent, received }
})

/** Fails unless both succeeded and the image has arrived. */
const migrateWell = Effect.fnUntraced(function* (...args: Parameters<typeof migrate>) {
  const ended = yield* migrate(...args)
  assert.strictEqual(ended.sent.code, 0, ended.sent.stderr)
  assert.strictEqual(ended.received.code, 0, ended.received.stderr)
  const [{ at, read }] = args
  const blocks = ["--block", `pc.ram=${at("ram2")}`, "--block", `pc.rom=${at("rom2")}`]
  const { code, stderr } = yield* Command.run("restore", at("new.img"), ...blocks)
  assert.strictEqual(code, 0, stderr)
  assert.isTrue(read("ram2").equals(pages(300)))
  assert.isTrue(read("rom2").equals(pages(7, 9)))
  return ended
})

describe("send and receive", { timeout: 60_000 }, () => {
  const ways: ReadonlyArray<Parameters<typeof migrate>[1]> = [
    {},
    { both: ["--channels", "0"] },
    { both: ["--channels", "8"], send: ["--zero-page-detection", "none"] },
    { both: ["--channels=1", "--compression=zlib"], send: ["--level", "9", "--zero-page-detection", "legacy"] },
    { both: ["--compression", "zstd"], send: ["--level=0"], receive: ["--direct-io"] },
    { both: ["--compression", "qpl", "--uuid", "00112233-4455-6677-8899-aabbccddeeff"] },
    { send: ["--marks", "each-section"], receive: ["--switchover-ack", "no"] },
    { send: ["--marks=each-round"], receive: ["--switchover-ack=yes"] },
    { both: ["--timeout", "10"], send: ["--max-bandwidth", "100M"] },
    { both: ["--timeout=0"], send: ["--max-bandwidth", "0"] },
    { both: ["--tls-psk", tls("psk/keys.psk")] },
    { both: ["--tls-dir", tls("x509"), "--tls-verify-peer"], send: ["--tls-hostname", "localhost"] }
  ]
  for (const way of ways) {
    it.live(`the same image: ${JSON.stringify(way).replaceAll(tls(""), "…")}`, () =>
      Effect.gen(function* () {
        const files = yield* savedImage
        const { received, sent, uri } = yield* migrateWell(files, way)
        assert.deepStrictEqual([sent.stdout, sent.stderr, received.stdout], ["", "", ""])
        const events = eventsOf(received.stderr)
        assert.match(uri, /^tcp:127\.0\.0\.1:[1-9]\d*$/)
        assert.deepStrictEqual(events[0], { event: "listening", uri })
        assert.isTrue(events.slice(1, -1).every(({ event }) => event === "progress"))
        assert.include(events.at(-1), { event: "completed", pages: 307 })
      })
    )
  }

  it.live("over a Unix socket, whose file is gone afterwards", () =>
    Effect.gen(function* () {
      const files = yield* savedImage
      const { uri } = yield* migrateWell(files, { listen: `unix:${files.at("socket")}` })
      assert.strictEqual(uri, `unix:${files.at("socket")}`)
      assert.notInclude(files.list(), "socket")
    })
  )

  it.live("a line says where, on a terminal; nothing does with --quiet", () =>
    Effect.gen(function* () {
      const { at } = yield* savedImage
      for (const [flag, expected] of [
        ["--progress=line", /^listening on unix:.*socket\n\r.*pages, \d+ zero\) in /s],
        ["--quiet", /^$/]
      ] as const) {
        const args = ["receive", "--listen", `unix:${at("socket")}`, at("new.img"), flag]
        const receiving = yield* Effect.forkChild(Command.runWith({ isTerminal: true }, ...args))
        yield* Effect.repeat(Effect.sleep("10 millis"), { until: () => Fs.existsSync(at("socket")) })
        const sent = yield* Command.run("send", at("vm.img"), "--to", `unix:${at("socket")}`, flag)
        assert.strictEqual(sent.code, 0, sent.stderr)
        const { code, stderr } = yield* Fiber.join(receiving)
        assert.strictEqual(code, 0, stderr)
        assert.match(stderr, expected)
      }
    })
  )
})

/** Listens, closes every connection at once, and gives where. */
const hangUp: Effect.Effect<string, never, Scope.Scope> = Effect.acquireRelease(
  Effect.callback<Net.Server>((resume) => {
    const server: Net.Server = Net.createServer((socket) => socket.end()).listen(0, "127.0.0.1", () =>
      resume(Effect.succeed(server))
    )
  }),
  (server) => Effect.sync(() => void server.close())
).pipe(Effect.map((server) => `tcp:127.0.0.1:${(server.address() as Net.AddressInfo).port}`))

describe("what can go wrong", { timeout: 60_000 }, () => {
  it.live("8: whoever connects is no sender; the old image stays", () =>
    Effect.gen(function* () {
      const { at, list, write } = yield* folder
      write("vm.img", Buffer.from("the old image"))
      const { ran, uri } = yield* Command.listen("--listen", ANY_PORT, at("vm.img"))
      yield* visit(uri, Buffer.from("GET / HTTP/1.1\r\n\r\n"))
      const { code, stderr } = yield* ran
      assert.strictEqual(code, 8, stderr)
      assert.include(eventsOf(stderr).at(-1), { event: "failed", error: "ProtocolError", exitCode: 8 })
      assert.deepStrictEqual(list(), ["vm.img"])
      assert.strictEqual(Fs.readFileSync(at("vm.img"), "utf8"), "the old image")
    })
  )

  it.live("8: the two sides disagree", () =>
    Effect.gen(function* () {
      const files = yield* savedImage
      const disagreements: ReadonlyArray<Parameters<typeof migrate>[1]> = [
        { receive: ["--compression", "zlib"] },
        { send: ["--compression", "zstd"] },
        { receive: ["--uuid", "00112233-4455-6677-8899-aabbccddeeff"] }
      ]
      for (const options of disagreements) {
        const { received, sent } = yield* migrate(files, options)
        assert.strictEqual(received.code, 8, received.stderr)
        assert.include([6, 8], sent.code, sent.stderr)
        assert.notInclude(files.list(), "new.img")
      }
    })
  )

  it.live("9: whoever connects says nothing, or is one of too few", () =>
    Effect.gen(function* () {
      const files = yield* savedImage
      const { ran, uri } = yield* Command.listen("--listen", ANY_PORT, files.at("new.img"), "--timeout", "0.3")
      yield* visit(uri, Buffer.alloc(0))
      assert.include(yield* ran, { code: 9 })
      const { received, sent } = yield* migrate(files, {
        receive: ["--channels", "3", "--timeout", "0.5"],
        send: ["--channels", "2"]
      })
      assert.strictEqual(received.code, 9, received.stderr)
      assert.strictEqual(sent.code, 6, sent.stderr)
    })
  )

  it.live("6: nobody listens, somebody does already, or hangs up", () =>
    Effect.gen(function* () {
      const { at } = yield* savedImage
      const cases: ReadonlyArray<ReadonlyArray<string>> = [
        ["send", at("vm.img"), "--to", `unix:${at("nobody")}`],
        ["send", at("vm.img"), "--to", yield* hangUp],
        ["receive", "--listen", yield* hangUp, at("new.img")],
        ["receive", "--listen", `unix:${at("missing/socket")}`, at("new.img")],
        ["receive", "--listen", ANY_PORT, at("missing/new.img")]
      ]
      for (const args of cases) {
        const { code, stderr, stdout } = yield* Command.run(...args)
        assert.strictEqual(code, 6, `${args.join(" ")}: ${stderr}`)
        assert.match(stderr, /^multifd: [^\n]+\n$/)
        assert.strictEqual(stdout, "")
      }
    })
  )

  it.live("3: what is sent is no image", () =>
    Effect.gen(function* () {
      const { at } = yield* savedImage
      assert.include(yield* Command.run("send", at("ram"), "--to", yield* hangUp), { code: 3 })
    })
  )

  it.live("8: TLS with the wrong certificates, the wrong keys, the wrong name, or on one side only", () =>
    Effect.gen(function* () {
      const files = yield* savedImage
      const x509 = ["--tls-dir", tls("x509")]
      const cases: ReadonlyArray<Parameters<typeof migrate>[1]> = [
        { receive: [...x509, "--tls-verify-peer"], send: ["--tls-dir", tls("stranger")] },
        { receive: [...x509, "--tls-verify-peer"], send: ["--tls-dir", tls("elsewhere")] },
        { receive: ["--tls-psk", tls("psk/keys.psk")], send: ["--tls-psk", tls("psk-other/keys.psk")] },
        { receive: x509, send: ["--timeout", "10"] }
      ]
      for (const options of cases) {
        const { received, sent } = yield* migrate(files, options)
        assert.strictEqual(received.code, 8, JSON.stringify(options) + received.stderr)
        assert.include([6, 8], sent.code, JSON.stringify(options) + sent.stderr)
      }
    })
  )

  it.live("a sender that does not trust us leaves; we wait for another one", () =>
    Effect.gen(function* () {
      const { at } = yield* savedImage
      const x509 = ["--tls-dir", tls("x509")]
      const { ran, uri } = yield* Command.listen("--listen", ANY_PORT, at("new.img"), ...x509)
      const send = ["send", at("vm.img"), "--to", uri, ...x509]
      const { code, stderr } = yield* Command.run(...send, "--tls-hostname", "elsewhere.example")
      assert.strictEqual(code, 8, stderr)
      assert.include(stderr, "for another host")
      assert.include(yield* Command.run(...send), { code: 0 })
      assert.include(yield* ran, { code: 0 })
    })
  )

  it.live("6: certificates or keys are not there", () =>
    Effect.gen(function* () {
      const { at } = yield* savedImage
      for (const option of ["--tls-dir", "--tls-psk"]) {
        const missing = [option, at("missing")]
        const sent = yield* Command.run("send", at("vm.img"), "--to", yield* hangUp, ...missing)
        const received = yield* Command.run("receive", "--listen", ANY_PORT, at("new.img"), ...missing)
        for (const { code, stderr } of [sent, received]) {
          assert.strictEqual(code, 6, stderr)
          assert.match(stderr, /^multifd: [^\n]*missing[^\n]+\n$/)
        }
      }
    })
  )

  it.live("warnings: what goes in the clear, and who may send", () =>
    Effect.gen(function* () {
      const files = yield* savedImage
      const warnings = (stderr: string) => eventsOf(stderr).filter(({ event }) => event === "warning")
      const everywhere = { listen: "tcp:0.0.0.0:0", send: ["--progress", "json"] }
      const open = yield* migrateWell(files, everywhere)
      assert.match(String(warnings(open.received.stderr)[0]?.["message"]), /send an image or read along/)
      assert.match(String(warnings(open.sent.stderr)[0]?.["message"]), /in the clear/)
      assert.strictEqual(eventsOf(open.received.stderr)[0]?.["event"], "listening")

      const x509 = ["--tls-dir", tls("x509")]
      const local = ["--tls-hostname", "127.0.0.1", ...everywhere.send]
      const halfway = yield* migrateWell(files, { ...everywhere, send: local, both: x509 })
      assert.match(String(warnings(halfway.received.stderr)[0]?.["message"]), /demand a certificate/)
      assert.deepStrictEqual(warnings(halfway.sent.stderr), [])
      const both = [...x509, "--tls-verify-peer"]
      const secured = yield* migrateWell(files, { ...everywhere, send: local, both })
      assert.deepStrictEqual(warnings(secured.received.stderr), [])
    })
  )

  it.live("a warning is a line of text where nobody asked for JSON", () =>
    Effect.gen(function* () {
      const { at } = yield* folder
      const warned = yield* Deferred.make<string>()
      const onText = (text: string) => Deferred.doneUnsafe(warned, Effect.succeed(text))
      const receiving = Command.runWith({ isTerminal: false, onText }, "receive", at("a"), "--listen", "tcp:0.0.0.0:0")
      const text = yield* Effect.raceFirst(Deferred.await(warned), Effect.andThen(receiving, Effect.never))
      assert.match(text, /^multifd: warning: anyone who reaches tcp:0\.0\.0\.0:[1-9]\d* can [^\n]*use TLS\n$/)
    })
  )

  it.live("who names no host listens on this machine alone, and needs no warning", () =>
    Effect.gen(function* () {
      const { at } = yield* folder
      const { ran, uri } = yield* Command.listen("--listen", "tcp::0", at("new.img"))
      assert.match(uri, /^tcp:127\.0\.0\.1:[1-9]\d*$/)
      yield* visit(uri, Buffer.from("GET / HTTP/1.1\r\n\r\n"))
      const events = eventsOf((yield* ran).stderr).map(({ event }) => event)
      assert.notInclude(events, "warning")
    })
  )

  it.live("2: options that make no sense", () =>
    Effect.gen(function* () {
      const to = ["send", "x", "--to", "tcp:h:1"]
      const from = ["receive", "x", "--listen", ANY_PORT]
      const cases: ReadonlyArray<ReadonlyArray<string>> = [
        ["send", "x"],
        ["send", "--to", "tcp:h:1"],
        ["send", "x", "--to", "h:1"],
        ["send", "x", "--to", "file:h"],
        ["send", "x", "--to", "tcp:h:65536"],
        ["send", "tcp:h:1", "--to", "tcp:h:1"],
        ["receive", "x"],
        ["receive", "--listen", ANY_PORT],
        ["receive", "unix:x", "--listen", ANY_PORT],
        [...from, "--tls-hostname", "x"],
        ...[to, from].flatMap((command) => [
          [...command, "--channels", "-1"],
          [...command, "--channels", "256"],
          [...command, "--compression", "lz4"],
          [...command, "--uuid", "0011223344556677889900aabbccddeeff"],
          [...command, "--timeout", "-1"],
          [...command, "--tls-verify-peer"],
          [...command, "--tls-dir", "a", "--tls-psk", "b"]
        ]),
        [...to, "--tls-hostname", "h"],
        [...to, "--tls-psk", "a", "--tls-hostname", "h"],
        [...to, "--zero-page-detection", "some"],
        [...to, "--marks", "round"],
        [...to, "--max-bandwidth", "fast"],
        [...to, "--level", "high"]
      ]
      for (const args of cases) {
        const { code, stderr, stdout } = yield* Command.run(...args)
        assert.strictEqual(code, 2, `${args.join(" ")}: ${stderr}`)
        assert.match(stderr, /^(?:multifd[a-z ]*: [^\n]+\n)+Try "multifd[a-z ]* --help"\.\n$/, args.join(" "))
        assert.strictEqual(stdout, "", args.join(" "))
      }
      const { at } = yield* savedImage
      for (const more of [
        ["--level", "3"],
        ["--compression=zlib", "--level=10"],
        ["--compression=zlib", "--channels=0"]
      ]) {
        assert.include(yield* Command.run("send", at("vm.img"), "--to", "tcp:127.0.0.1:1", ...more), { code: 2 })
      }
    })
  )
})
