import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Redacted from "effect/Redacted"
import * as Runtime from "effect/Runtime"
import * as TestClock from "effect/testing/TestClock"
import * as Fs from "node:fs"
import * as Net from "node:net"
import * as Path from "node:path"
import * as Tls from "node:tls"
import { inspect } from "node:util"
import * as Connection from "../../src/io/sockets/Connection.ts"
import type { TlsError, TlsReason } from "../../src/io/sockets/ConnectionError.ts"
import * as Listener from "../../src/io/sockets/Listener.ts"
import * as SocketAddress from "../../src/io/sockets/SocketAddress.ts"
import * as TlsCredentials from "../../src/io/sockets/TlsCredentials.ts"
import { anyPort, bytes, directory, readToEnd, turn, unixPath } from "../support/worlds/networks.ts"

const fixture = (...names: ReadonlyArray<string>): string =>
  Path.resolve(import.meta.dirname, "../fixtures/tls", ...names)

const client = (name: string, options?: { readonly hostname?: string }) =>
  TlsCredentials.clientFromDirectory(fixture(name), options)
const server = (name: string, options?: { readonly verifyPeer?: boolean }) =>
  TlsCredentials.serverFromDirectory(fixture(name), options)
const pskClient = (name: string, options?: { readonly identity?: string }) =>
  TlsCredentials.clientFromPskFile(fixture(name, "keys.psk"), options)
const pskServer = (name: string) => TlsCredentials.serverFromPskFile(fixture(name, "keys.psk"))

/** What both sides of a handshake end with, and bytes that go through if it works. */
const handshake = Effect.fnUntraced(function* (
  tls: { readonly client?: TlsCredentials.Client; readonly server?: TlsCredentials.Server },
  address: SocketAddress.SocketAddress = anyPort
) {
  const listener = yield* Listener.make({ address, tls: tls.server })
  const near = Effect.gen(function* () {
    const connection = yield* Connection.connect({ address: listener.address, tls: tls.client })
    yield* connection.write([bytes(1000), bytes(100_000, 2)])
    yield* connection.end
    return yield* readToEnd(connection)
  })
  const far = Effect.gen(function* () {
    const connection = yield* listener.accept
    yield* connection.read([new Uint8Array(1000)])
    const rest = yield* readToEnd(connection, 5000)
    yield* connection.write([rest])
    yield* connection.end
    return rest
  })
  return yield* Effect.all(
    { near: Effect.result(Effect.scoped(near)), far: Effect.result(Effect.scoped(far)) },
    { concurrency: 2 }
  )
})

const succeeds = (
  credentials: Effect.Effect<{ readonly client: TlsCredentials.Client; readonly server: TlsCredentials.Server }, Error>,
  address?: SocketAddress.SocketAddress
) =>
  Effect.gen(function* () {
    const { far, near } = yield* handshake(yield* credentials, address)
    assert.deepInclude(far, { _tag: "Success" })
    assert.deepInclude(near, { _tag: "Success" })
    if (near._tag === "Success") assert.deepStrictEqual(new Uint8Array(near.success), bytes(100_000, 2))
  })

/** A handshake that fails: what each side says of it. */
const fails = (
  credentials: Effect.Effect<Parameters<typeof handshake>[0], Error>,
  expected: { readonly near?: TlsReason; readonly far?: TlsReason },
  address?: SocketAddress.SocketAddress
) =>
  Effect.gen(function* () {
    const sides = yield* handshake(yield* credentials, address)
    for (const [side, reason] of Object.entries(expected)) {
      const result = sides[side === "near" ? "near" : "far"]
      assert(result._tag === "Failure", side)
      assert.deepInclude(result.failure, { _tag: "TlsError", reason }, side)
      if (result.failure._tag === "TlsError") assert.strictEqual(result.failure[Runtime.errorExitCode], 8)
    }
  })

/** A listener of the test's own, for peers that do not behave. */
const rawServer = (onSocket: (socket: Net.Socket) => void) =>
  Effect.acquireRelease(
    Effect.callback<Net.Server>((resume) => {
      const server = Net.createServer((socket) => onSocket(socket.on("error", () => undefined)))
      server.listen(0, "127.0.0.1", () => resume(Effect.succeed(server)))
    }),
    (server) => Effect.sync(() => server.close())
  ).pipe(
    Effect.map((server) => {
      const address = server.address()
      return SocketAddress.tcp("127.0.0.1", typeof address === "object" && address !== null ? address.port : 0)
    })
  )

/** A peer of the test's own. */
const rawClient = (address: SocketAddress.SocketAddress) =>
  Effect.acquireRelease(
    Effect.sync(() => {
      assert(address._tag === "Tcp")
      return Net.connect(address.port, address.host).on("error", () => undefined)
    }),
    (socket) => Effect.sync(() => socket.destroy())
  )

/** Hands on what goes over one connection, which the test may look at and change. */
const tap = Effect.fnUntraced(function* (
  to: SocketAddress.SocketAddress,
  change: (bytes: Buffer, sofar: number) => Buffer
) {
  assert(to._tag === "Tcp")
  const seen: Array<Buffer> = []
  const address = yield* rawServer((socket) => {
    let sofar = 0
    const onward = Net.connect(to.port, to.host).on("error", () => socket.destroy())
    socket.on("data", (chunk) => {
      seen.push(chunk)
      onward.write(change(chunk, sofar))
      sofar += chunk.length
    })
    socket.on("end", () => onward.end()).on("close", () => onward.destroy())
    onward.pipe(socket)
  })
  return { address, seen: () => Buffer.concat(seen) }
})

/** Types of the TLS records that one side has sent. */
const recordTypes = (stream: Buffer): ReadonlyArray<number> => {
  const types: Array<number> = []
  for (let at = 0; at + 5 <= stream.length; at += 5 + stream.readUInt16BE(at + 3)) types.push(stream[at]!)
  return types
}

const ALERT = 21

describe("TLS", () => {
  it.effect("certificates of both sides", () =>
    succeeds(Effect.all({ client: client("x509"), server: server("x509") }))
  )

  it.effect("a client without a certificate connects where none is demanded", () =>
    succeeds(Effect.all({ client: client("expired"), server: server("x509", { verifyPeer: false }) }))
  )

  it.effect("a server of another name connects where that name is expected", () =>
    succeeds(Effect.all({ client: client("x509", { hostname: "elsewhere.example" }), server: server("elsewhere") }))
  )

  it.effect("over a Unix socket no name is compared", () =>
    Effect.flatMap(unixPath, (path) =>
      succeeds(Effect.all({ client: client("x509"), server: server("elsewhere") }), path)
    )
  )

  it.effect("over a Unix socket the name that is asked for is", () =>
    Effect.flatMap(unixPath, (path) =>
      fails(
        Effect.all({ client: client("x509", { hostname: "localhost" }), server: server("elsewhere") }),
        { near: "hostname" },
        path
      )
    )
  )

  it.effect("pre-shared keys connect", () =>
    succeeds(Effect.all({ client: pskClient("psk"), server: pskServer("psk") }))
  )

  it.effect("the key connects under any name of the client", () =>
    succeeds(Effect.all({ client: pskClient("psk", { identity: "somebody" }), server: pskServer("psk") }))
  )

  it.effect("a server of another name is refused", () =>
    fails(Effect.all({ client: client("x509"), server: server("elsewhere") }), { near: "hostname" })
  )

  it.effect("a server of another authority is refused", () =>
    fails(Effect.all({ client: client("x509"), server: server("stranger", { verifyPeer: false }) }), {
      near: "certificate"
    })
  )

  it.effect("a server whose time is over is refused", () =>
    fails(Effect.all({ client: client("x509"), server: server("expired") }), { near: "certificate" })
  )

  it.effect("a client of another authority is refused", () =>
    fails(Effect.all({ client: client("x509"), server: server("stranger") }), { far: "certificate" })
  )

  it.effect("a client without a certificate is refused where one is demanded", () =>
    fails(Effect.all({ client: client("expired"), server: server("x509") }), { near: "refused", far: "certificate" })
  )

  it.effect("a client whose certificate was revoked is refused", () =>
    fails(Effect.all({ client: client("revoked"), server: server("revoked") }), { far: "certificate" })
  )

  it.effect("another key under the same name is refused", () =>
    fails(Effect.all({ client: pskClient("psk-other"), server: pskServer("psk") }), { near: "refused", far: "key" })
  )

  it.effect("a key that the server does not have is refused", () =>
    fails(Effect.all({ client: pskClient("psk-other", { identity: "stranger" }), server: pskServer("psk") }), {
      near: "refused",
      far: "key"
    })
  )

  it.effect("certificates are refused where a key is due", () =>
    fails(Effect.all({ client: client("x509"), server: pskServer("psk") }), { near: "refused", far: "handshake" })
  )

  it.effect("a key is refused where certificates are due", () =>
    fails(Effect.all({ client: pskClient("psk"), server: server("x509") }), { near: "refused", far: "handshake" })
  )

  it.effect("a server that shows a trusted certificate has not shown that it knows the key", () =>
    Effect.gen(function* () {
      const { context } = yield* server("x509", { verifyPeer: false })
      const { options } = Redacted.value(context)
      const server13 = Tls.createServer({ ...options, secureOptions: 0, maxVersion: "TLSv1.3" })
      const address = yield* rawServer((socket) => void server13.emit("connection", socket))
      server13.on("tlsClientError", () => undefined)
      const trusting = yield* client("x509")
      const tls = { ...(yield* pskClient("psk")), context: trusting.context }
      const error = yield* Effect.flip(Effect.scoped(Connection.connect({ address, tls })))
      assert.deepInclude(error, { _tag: "TlsError", reason: "certificate", code: "CERT_UNEXPECTED" })
    })
  )

  it.effect("a server that does not speak TLS", () =>
    Effect.gen(function* () {
      const address = yield* rawServer((socket) => void socket.write("220 hello, this is not TLS at all\r\n"))
      const tls = yield* client("x509")
      const error = yield* Effect.flip(Effect.scoped(Connection.connect({ address, tls })))
      assert.deepInclude(error, { _tag: "TlsError", reason: "plaintext", peer: SocketAddress.format(address) })
      assert.include(error.message, "TLS: the peer does not speak TLS")
    })
  )

  it.effect("a client that does not speak TLS, while another one does", () =>
    Effect.gen(function* () {
      const listener = yield* Listener.make({ address: anyPort, tls: yield* server("x509") })
      const raw = yield* rawClient(listener.address)
      raw.write(Buffer.from("QEVM\x00\x00\x00\x03 and so on, in the clear"))
      const error = yield* Effect.flip(Effect.scoped(listener.accept))
      assert.deepInclude(error, { _tag: "TlsError", reason: "plaintext" })
      yield* Connection.connect({ address: listener.address, tls: yield* client("x509") })
      yield* listener.accept
    })
  )

  it.effect("a server that ends the connection instead of answering", () =>
    Effect.gen(function* () {
      const address = yield* rawServer((socket) => void socket.end())
      const error = yield* Effect.flip(Effect.scoped(Connection.connect({ address, tls: yield* client("x509") })))
      assert.deepInclude(error, { _tag: "TlsError", reason: "refused" })
    })
  )

  it.effect("a client that ends the connection instead of shaking hands", () =>
    Effect.gen(function* () {
      const listener = yield* Listener.make({ address: anyPort, tls: yield* server("x509") })
      const raw = yield* rawClient(listener.address)
      raw.end()
      assert.deepInclude(yield* Effect.flip(Effect.scoped(listener.accept)), { _tag: "TlsError", reason: "refused" })
    })
  )

  it.effect("nobody there is no matter of TLS", () =>
    Effect.gen(function* () {
      const tls = yield* client("x509")
      const error = yield* Effect.flip(
        Effect.scoped(Connection.connect({ address: SocketAddress.tcp("127.0.0.1", 1), tls }))
      )
      assert.strictEqual(error._tag, "ConnectError")
    })
  )

  it.effect("a side that ended can still be written to, later", () =>
    Effect.gen(function* () {
      const listener = yield* Listener.make({ address: anyPort, tls: yield* server("x509") })
      const near = yield* Connection.connect({ address: listener.address, tls: yield* client("x509") })
      const far = yield* listener.accept
      yield* near.end
      assert.isFalse(yield* far.readOrEnd(new Uint8Array(1)))
      for (let i = 0; i < 10; i++) yield* turn
      yield* far.write([bytes(100_000)])
      yield* far.end
      assert.deepStrictEqual(new Uint8Array(yield* readToEnd(near)), bytes(100_000))
    })
  )

  it.effect("a failed handshake does not use up a connection", () =>
    Effect.gen(function* () {
      const listener = yield* Listener.make({ address: anyPort, tls: yield* server("x509"), maxConnections: 1 })
      for (let i = 0; i < 3; i++) {
        const raw = yield* rawClient(listener.address)
        raw.write("no TLS at all")
        assert.deepInclude(yield* Effect.flip(Effect.scoped(listener.accept)), { _tag: "TlsError" })
      }
      yield* Connection.connect({ address: listener.address, tls: yield* client("x509") })
      yield* listener.accept
    })
  )

  it.effect("a listener that is closed ends handshakes under way", () =>
    Effect.gen(function* () {
      const listener = yield* Listener.make({ address: anyPort, tls: yield* server("x509") })
      const raw = yield* rawClient(listener.address)
      yield* Effect.callback<void>((resume) => void raw.once("connect", () => resume(Effect.void)))
      for (let i = 0; i < 10; i++) yield* turn
      yield* listener.close
      raw.resume()
      while (!raw.destroyed) yield* turn
    })
  )

  it.effect("a silent client takes no longer than the handshake may, and holds up nobody", () =>
    Effect.gen(function* () {
      const tls = yield* server("x509")
      const listener = yield* Listener.make({ address: anyPort, tls, handshakeTimeout: "5 seconds" })
      const raw = yield* rawClient(listener.address)
      yield* Connection.connect({ address: listener.address, tls: yield* client("x509") })
      yield* listener.accept
      const accepting = yield* Effect.forkChild(Effect.flip(Effect.scoped(listener.accept)))
      yield* TestClock.adjust("5 seconds")
      const error = yield* Fiber.join(accepting)
      assert.deepInclude(error, {
        _tag: "PeerTimeoutError",
        milliseconds: 5000,
        expected: "the end of the TLS handshake"
      })
      while (!raw.destroyed) yield* turn
    })
  )

  it.effect("a silent server takes no longer than connecting may", () =>
    Effect.gen(function* () {
      const sockets: Array<Net.Socket> = []
      const address = yield* rawServer((socket) => void sockets.push(socket))
      const tls = yield* client("x509")
      const attempt = yield* Effect.forkChild(Effect.flip(Effect.scoped(Connection.connect({ address, tls }))))
      while (sockets.length === 0) yield* turn
      yield* TestClock.adjust("10 seconds")
      const error = yield* Fiber.join(attempt)
      assert.deepInclude(error, { _tag: "PeerTimeoutError", milliseconds: 10_000, expected: "a secure connection" })
      sockets[0]!.resume()
      while (!sockets[0]!.destroyed) yield* turn
    })
  )

  it.effect("a damaged record is noticed", () =>
    Effect.gen(function* () {
      const listener = yield* Listener.make({ address: anyPort, tls: yield* server("x509") })
      const { address } = yield* tap(listener.address, (bytes, sofar) => {
        if (sofar < 40_000) return bytes
        bytes[bytes.length - 1]! ^= 1
        return bytes
      })
      const near = yield* Connection.connect({ address, tls: yield* client("x509") })
      const far = yield* listener.accept
      yield* Effect.forkChild(Effect.ignore(near.write([bytes(1_000_000)])))
      const error = yield* Effect.flip(far.read([new Uint8Array(1_000_000)]))
      assert.deepInclude(error, { _tag: "TlsError", reason: "record" })
      assert.isAbove(far.bytesRead, 30_000)
    })
  )

  it.effect("the end is said to the peer, and the server speaks TLS 1.2 without tickets", () =>
    Effect.gen(function* () {
      const listener = yield* Listener.make({ address: anyPort, tls: yield* server("x509") })
      const { address, seen } = yield* tap(listener.address, (bytes) => bytes)
      const near = yield* Connection.connect({ address, tls: yield* client("x509") })
      const far = yield* listener.accept
      yield* near.write([bytes(100)])
      yield* near.end
      assert.lengthOf(yield* readToEnd(far), 100)
      assert.strictEqual(recordTypes(seen()).at(-1), ALERT)
      const { options } = Redacted.value((yield* client("x509")).context)
      const socket = yield* Effect.callback<Tls.TLSSocket>((resume) => {
        assert(listener.address._tag === "Tcp")
        const { host, port } = listener.address
        const socket: Tls.TLSSocket = Tls.connect({ ...options, host, port }, () => resume(Effect.succeed(socket)))
      })
      yield* listener.accept
      assert.strictEqual(socket.getProtocol(), "TLSv1.2")
      assert.isUndefined(socket.getTLSTicket())
      socket.destroy()
    })
  )
})

describe("TlsCredentials", () => {
  const secret = "00112233445566778899aabbccddeeff"

  /** A directory with some of the files of `x509`, some of which hold something else. */
  const directoryOf = Effect.fnUntraced(function* (files: Readonly<Record<string, string>>) {
    const path = yield* directory
    for (const [name, content] of Object.entries(files)) Fs.writeFileSync(Path.join(path, name), content)
    return path
  })
  const good = (name: string): string => Fs.readFileSync(fixture("x509", name), "utf8")
  const files = (names: ReadonlyArray<string>) => Object.fromEntries(names.map((name) => [name, good(name)]))

  const refused = <A>(
    content: Readonly<Record<string, string>>,
    load: (path: string) => Effect.Effect<A, TlsError>,
    expected: Partial<TlsError>
  ) =>
    Effect.gen(function* () {
      const path = yield* directoryOf(content)
      const error = yield* Effect.flip(load(path))
      const { peer = "", ...rest } = expected
      assert.deepInclude(error, { _tag: "TlsError", reason: "credentials", peer: Path.join(path, peer), ...rest })
      assert.strictEqual(error[Runtime.errorExitCode], 6)
      assert.include(error.message, "the credentials cannot be used")
      assert.notInclude(JSON.stringify(error) + error.message, secret)
    })

  const fromServer = (path: string) => TlsCredentials.serverFromDirectory(path)
  const fromClient = (path: string) => TlsCredentials.clientFromDirectory(path)
  const fromKeys = (path: string) => TlsCredentials.serverFromPskFile(Path.join(path, "keys.psk"))

  it.effect.each(["ca-cert.pem", "server-cert.pem", "server-key.pem"])("a server needs %s", (name) =>
    refused(files(["ca-cert.pem", "server-cert.pem", "server-key.pem"].filter((other) => other !== name)), fromServer, {
      peer: name,
      code: "ENOENT"
    })
  )

  it.effect("a client needs the authority, and its key where it has a certificate", () =>
    Effect.gen(function* () {
      yield* refused({}, fromClient, { peer: "ca-cert.pem", code: "ENOENT" })
      const lonely = files(["ca-cert.pem", "client-cert.pem"])
      yield* refused(lonely, fromClient, { peer: "client-key.pem", code: "ENOENT" })
    })
  )

  it.effect.each(["ca-cert.pem", "server-cert.pem"])("%s has to be a certificate", (name) =>
    refused({ ...files(["ca-cert.pem", "server-cert.pem", "server-key.pem"]), [name]: "nonsense" }, fromServer, {
      peer: name,
      detail: "expected a certificate in PEM form"
    })
  )

  it.effect.each([
    ["a key of another certificate", { "server-key.pem": good("client-key.pem") }, /KEY_VALUES_MISMATCH/],
    ["a key that is none", { "server-key.pem": "nonsense" }, /./],
    ["a list of revoked certificates that is none", { "ca-crl.pem": "nonsense" }, /./]
  ] as const)("%s", ([, wrong, code]) =>
    Effect.gen(function* () {
      const path = yield* directoryOf({ ...files(["ca-cert.pem", "server-cert.pem", "server-key.pem"]), ...wrong })
      const error = yield* Effect.flip(fromServer(path))
      assert.deepInclude(error, { _tag: "TlsError", reason: "credentials", peer: path })
      assert.match(error.code, code)
    })
  )

  it.effect("a file without an end is not read to its end", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(TlsCredentials.serverFromPskFile("/dev/zero"))
      assert.deepInclude(error, { reason: "credentials", peer: "/dev/zero" })
      assert.include(error.message, "expected at most 1048576 bytes")
    })
  )

  it.effect("keys are lines of IDENTITY:HEXKEY", () =>
    Effect.gen(function* () {
      const path = yield* directoryOf({ "keys.psk": `# keys\n\n qemu:${secret}\r\nsome body:AB12\n` })
      const { psk } = yield* fromKeys(path)
      assert.deepStrictEqual(
        [...psk!].map(([name, key]) => [name, Buffer.from(Redacted.value(key)).toString("hex")]),
        [
          ["qemu", secret],
          ["some body", "ab12"]
        ]
      )
      const none = yield* Effect.flip(
        TlsCredentials.clientFromPskFile(Path.join(path, "keys.psk"), { identity: "nobody" })
      )
      assert.include(none.message, 'expected a key of "nobody", found none')
    })
  )

  it.effect.each([`qemu:${secret}1`, `:${secret}`, secret, "qemu:", `qemu:${secret}xy`])(
    "%s is no line of a file of keys",
    (line) =>
      refused({ "keys.psk": `first:${secret}\n${line}\n` }, fromKeys, {
        peer: "keys.psk",
        detail: "line 2: expected IDENTITY:HEXKEY"
      })
  )

  it.effect("a file of keys has some", () =>
    refused({ "keys.psk": "# none\n" }, fromKeys, {
      peer: "keys.psk",
      detail: "expected lines of IDENTITY:HEXKEY, found none"
    })
  )

  it.effect("private keys are not printed", () =>
    Effect.gen(function* () {
      const all = yield* Effect.all([server("x509"), client("x509"), pskServer("psk"), pskClient("psk")])
      const secrets = [good("server-key.pem"), good("client-key.pem")].map((pem) => pem.slice(60, 90))
      const keys = Fs.readFileSync(fixture("psk", "keys.psk"), "utf8").match(/[0-9a-f]{64}/g)!
      const printed = all.map((one) => inspect(one, { depth: 20 }) + JSON.stringify(one)).join()
      for (const one of [...secrets, ...keys]) assert.notInclude(printed, one)
    })
  )
})
