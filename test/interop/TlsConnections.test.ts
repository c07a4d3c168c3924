/**
 * The connections of TLS themselves: a migration between two QEMUs, each of which talks to us only.
 */
import { assert, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Latch from "effect/Latch"
import * as Path from "node:path"
import * as Connection from "../../src/io/sockets/Connection.ts"
import * as Listener from "../../src/io/sockets/Listener.ts"
import * as SocketAddress from "../../src/io/sockets/SocketAddress.ts"
import * as TlsCredentials from "../../src/io/sockets/TlsCredentials.ts"
import * as Files from "../support/qemu/files.ts"
import * as Fixtures from "../support/qemu/fixtures.ts"
import * as Guest from "../support/qemu/guest.ts"
import * as Library from "../support/qemu/library.ts"
import * as Pattern from "../support/qemu/pattern.ts"
import * as Sockets from "../support/qemu/sockets.ts"
import { describeQemu } from "../support/qemu/suite.ts"

const MIB = 1024 * 1024
const CHANNELS = 2

const fixture = (name: string): string => Path.resolve(import.meta.dirname, "../fixtures/tls", name)

type Kind = "x509" | "psk"

/** The credentials of one of QEMU's sides, as its object `tls0`. */
const ofQemu = (kind: Kind, endpoint: "client" | "server", dir: string = kind): ReadonlyArray<string> => [
  "-object",
  `tls-creds-${kind},id=tls0,dir=${fixture(dir)},endpoint=${endpoint},verify-peer=yes`
]

const ours = (kind: Kind) =>
  kind === "psk"
    ? Effect.all({
        client: TlsCredentials.clientFromPskFile(Path.join(fixture("psk"), "keys.psk")),
        server: TlsCredentials.serverFromPskFile(Path.join(fixture("psk"), "keys.psk"))
      })
    : Effect.all({
        client: TlsCredentials.clientFromDirectory(fixture("x509")),
        server: TlsCredentials.serverFromDirectory(fixture("x509"))
      })

/** Everything that one side says, to the other one, up to its end. */
const forward = Effect.fnUntraced(function* (from: Connection.Connection, to: Connection.Connection) {
  const buffer = new Uint8Array(MIB)
  for (;;) {
    const length = yield* from.readSome(buffer)
    if (length === 0) break
    yield* to.write([buffer.subarray(0, length)])
  }
  yield* to.end
})

/** Hands every connection of a migration on to a destination, from the moment that the gate opens. */
const relay = (
  listener: Listener.Listener,
  address: SocketAddress.SocketAddress,
  tls: TlsCredentials.Client,
  gate: Latch.Latch
) =>
  Effect.gen(function* () {
    const moved: Array<Fiber.Fiber<void, Error>> = []
    for (let connection = 0; connection <= CHANNELS; connection++) {
      const from = yield* listener.accept
      const to = yield* Connection.connect({ address, tls })
      moved.push(yield* Effect.forkChild(gate.whenOpen(forward(from, to))))
    }
    return yield* Fiber.joinAll(moved)
  })

const anyPort = SocketAddress.tcp("127.0.0.1", 0)

const sockets: Sockets.Options = { channels: CHANNELS, tls: "tls0" }

interface Load {
  readonly size: number
  readonly pattern: Pattern.Pattern
  /** Nothing is read until QEMU says that it has sent everything: the sockets' buffers have to take it. */
  readonly late: boolean
}

const passThrough = (kind: Kind, { late, pattern, size }: Load) =>
  Effect.gen(function* () {
    const { fresh } = yield* Fixtures.Fixtures
    const { client, server } = yield* ours(kind)
    const [from, to] = [fresh("ram"), fresh("ram")]
    Pattern.writeFile(from, pattern, size)
    const destination = yield* Guest.start({
      ram: { file: to, size },
      incoming: true,
      args: ofQemu(kind, "server")
    })
    const { loaded, uri } = yield* Sockets.listen(destination, "tcp:127.0.0.1:0", sockets)
    const source = yield* Guest.start({ ram: { file: from, size }, args: ofQemu(kind, "client") })
    const listener = yield* Listener.make({ address: anyPort, tls: server })
    const gate = yield* Latch.make(!late)
    const relayed = yield* Effect.forkChild(Effect.scoped(relay(listener, Library.addressOf(uri), client, gate)))
    yield* Sockets.send(source, SocketAddress.format(listener.address), sockets)
    yield* gate.open
    yield* Fiber.join(relayed)
    assert.include(yield* loaded, { status: "completed", reason: "" })
    assert.isUndefined(Files.firstDifference(from, to))
  })

/** What our listener makes of the first connection of a QEMU that migrates to it. */
const refusal = (args: ReadonlyArray<string>, options: Sockets.Options, server: TlsCredentials.Server) =>
  Effect.gen(function* () {
    const source = yield* Guest.start({ ram: { size: 16 * MIB }, args })
    const listener = yield* Listener.make({ address: anyPort, tls: server })
    // What QEMU makes of it is its own affair: a stream that fits into the sockets' buffers has been sent, for QEMU.
    yield* Effect.forkChild(Effect.ignore(Sockets.send(source, SocketAddress.format(listener.address), options)))
    return yield* Effect.flip(Effect.scoped(listener.accept))
  })

describeQemu("connections with a real QEMU's TLS", () => {
  layer(Fixtures.layer, { excludeTestServices: true })((it) => {
    for (const kind of ["x509", "psk"] as const) {
      it.effect(`${kind}: from QEMU to us, and from us to QEMU`, () =>
        passThrough(kind, { size: 32 * MIB, pattern: "mixed", late: false })
      )
      it.effect(`${kind}: nothing is lost when QEMU closes long before we have read`, () =>
        passThrough(kind, { size: 4 * MIB, pattern: "half-zero", late: true })
      )
    }

    it.effect("a QEMU without TLS is refused", () =>
      Effect.gen(function* () {
        const { server } = yield* ours("x509")
        assert.deepInclude(yield* refusal([], {}, server), { _tag: "TlsError", reason: "plaintext" })
      })
    )

    it.effect("a QEMU that knows neither us nor our authority is refused", () =>
      Effect.gen(function* () {
        const { server } = yield* ours("x509")
        const error = yield* refusal(ofQemu("x509", "client", "stranger"), sockets, server)
        assert.deepInclude(error, { _tag: "TlsError", reason: "certificate" })
      })
    )

    it.effect("a QEMU with another key is refused", () =>
      Effect.gen(function* () {
        const { server } = yield* ours("psk")
        const error = yield* refusal(ofQemu("psk", "client", "psk-other"), sockets, server)
        assert.deepInclude(error, { _tag: "TlsError", reason: "key" })
      })
    )

    it.effect("QEMU refuses us when we have no certificate", () =>
      Effect.gen(function* () {
        const guest = yield* Guest.start({ ram: { size: 16 * MIB }, incoming: true, args: ofQemu("x509", "server") })
        const { uri } = yield* Sockets.listen(guest, "tcp:127.0.0.1:0", sockets)
        const tls = yield* TlsCredentials.clientFromDirectory(fixture("elsewhere"))
        // QEMU looks at the certificate behind the handshake, and then says nothing.
        const connection = yield* Connection.connect({ address: Library.addressOf(uri), tls })
        const length = yield* Effect.orElseSucceed(connection.readSome(new Uint8Array(1)), () => 0)
        assert.strictEqual(length, 0)
      })
    )
  })
})
