import { assert, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type { TlsError, TlsReason } from "../../src/io/sockets/ConnectionError.ts"
import * as TlsCredentials from "../../src/io/sockets/TlsCredentials.ts"
import * as Migration from "../../src/migration/Migration.ts"
import * as Files from "../support/qemu/files.ts"
import * as Fixtures from "../support/qemu/fixtures.ts"
import * as Guest from "../support/qemu/guest.ts"
import * as Library from "../support/qemu/library.ts"
import type * as Migrate from "../support/qemu/migrate.ts"
import * as Sockets from "../support/qemu/sockets.ts"
import { describeQemu } from "../support/qemu/suite.ts"
import * as Tls from "../support/qemu/tls.ts"

const CHANNELS = 2

type Client = Effect.Effect<TlsCredentials.Client, TlsError>

/** Has a guest with such credentials wait, sends to it, and gives how that went on both sides. */
const sendTo = (
  theirs: ReadonlyArray<string>,
  ours: Client | undefined,
  options: Sockets.Options & { readonly at?: string } = {}
) =>
  Effect.gen(function* () {
    const { fresh, saved } = yield* Fixtures.Fixtures
    const original = yield* saved({})
    const { guest, ram } = yield* Fixtures.startLike(original, theirs)
    const { at = "tcp:127.0.0.1:0", ...rest } = { channels: CHANNELS, ...options }
    const secured = theirs.length > 0 ? { tls: Tls.ID } : {}
    const uri = at === "unix" ? `unix:${fresh("file")}` : at
    const listening = yield* Sockets.listen(guest, uri, { ...rest, ...secured })
    const { channels, compression } = rest
    const tls = yield* ours ?? Effect.succeed(undefined)
    const sent = Library.send(original.path, listening.uri, { tls, channels, compression })
    return {
      sent,
      loaded: listening.loaded,
      sameRam: () => Files.firstDifference(original.ram.file, ram) === undefined
    }
  })

/** Sends, and fails unless the guest has everything. */
const succeed = (...args: Parameters<typeof sendTo>) =>
  Effect.gen(function* () {
    const { loaded, sameRam, sent } = yield* sendTo(...args)
    yield* sent
    assert.include(yield* loaded, { status: "completed", reason: "" } satisfies Partial<Migrate.Loaded>)
    assert.isTrue(sameRam())
  })

/** Sends, and fails unless that fails; the guest may wait for somebody better. */
const fail = (...args: Parameters<typeof sendTo>) => Effect.flatMap(sendTo(...args), ({ sent }) => Effect.flip(sent))

const client = (name: string, hostname?: string): Client =>
  TlsCredentials.clientFromDirectory(Tls.directory(name), { hostname })

const psk = (name: string): Client => TlsCredentials.clientFromPskFile(Tls.keys(name))

const server = Tls.x509("server", "x509")

describeQemu("TLS to a waiting QEMU", () => {
  layer(Layer.mergeAll(Fixtures.layer, Migration.layer), { excludeTestServices: true })((it) => {
    for (const options of [{ channels: 0 }, {}, { channels: 8 }, { compression: "zstd" }, { at: "unix" }] as const) {
      it.effect(`with certificates of both sides, ${JSON.stringify(options)}`, () =>
        succeed(server, client("x509"), options)
      )
      it.effect(`with a key, ${JSON.stringify(options)}`, () => succeed(Tls.psk("server", "psk"), psk("psk"), options))
    }

    it.effect("a client without a certificate, where none is demanded", () =>
      succeed(Tls.x509("server", "x509", false), client("elsewhere", "localhost"))
    )

    it.effect("a server of another name, which is expected", () =>
      succeed(Tls.x509("server", "elsewhere", false), client("x509", "elsewhere.example"))
    )

    const refused: Record<string, readonly [ReadonlyArray<string>, Client, TlsReason]> = {
      "a server of another name": [Tls.x509("server", "elsewhere", false), client("x509"), "hostname"],
      "a server of another authority": [Tls.x509("server", "stranger", false), client("x509"), "certificate"],
      "a server that does not speak TLS, and hangs up": [[], client("x509"), "refused"],
      "a client of another authority": [server, client("stranger"), "certificate"],
      "a server with another key": [Tls.psk("server", "psk-other"), psk("psk"), "refused"],
      "certificates where a key is due": [Tls.psk("server", "psk"), client("x509"), "refused"]
    }
    for (const [name, [theirs, ours, reason]] of Object.entries(refused)) {
      it.effect(`refused: ${name}`, () =>
        Effect.gen(function* () {
          const error = yield* fail(theirs, ours)
          assert.strictEqual(error._tag, "TlsError", error.message)
          if (error._tag === "TlsError") assert.strictEqual(error.reason, reason, error.message)
        })
      )
    }

    // To the client, its handshake is over when the server looks at what it has shown.
    const hungUp: Record<string, Client | undefined> = {
      "a client without a certificate": client("elsewhere", "localhost"),
      "a client that does not speak TLS": undefined
    }
    for (const [name, ours] of Object.entries(hungUp)) {
      it.effect(`hung up on: ${name}`, () =>
        Effect.gen(function* () {
          const error = yield* fail(server, ours)
          assert.include(["ConnectionLostError", "ConnectionEndedError"], error._tag, error.message)
        })
      )
    }
  })
})

type Server = Effect.Effect<TlsCredentials.Server, TlsError>

interface Receiving extends Sockets.Options {
  readonly machine?: string
  readonly at?: string
}

/** Has a guest with such credentials send itself, and fails unless the image holds it; QEMU loads the image. */
const receiveFrom = (theirs: ReadonlyArray<string>, ours: Server, { at, machine, ...options }: Receiving) =>
  Effect.gen(function* () {
    const { fresh, saved } = yield* Fixtures.Fixtures
    const original = yield* saved({ machine })
    const path = fresh("ram")
    const { channels = CHANNELS, compression } = options
    const uri = at === "unix" ? `unix:${fresh("file")}` : "tcp:localhost:0"
    const receiving = yield* Library.receive(uri, path, { tls: yield* ours, channels, compression })
    const guest = yield* Guest.start({ machine, ram: original.ram, args: theirs })
    // A Unix socket has no host that a certificate could name.
    yield* Sockets.send(guest, receiving.uri, { ...options, channels, tls: Tls.ID, tlsHostname: "localhost" })
    yield* receiving.received
    const { loaded, ram } = yield* Fixtures.loadLike(original, { path, channels: 2 })
    assert.include(loaded, { status: "completed", reason: "" })
    assert.strictEqual(Files.firstDifference(original.ram.file, ram), undefined)
  }).pipe(Effect.scoped)

describeQemu("TLS from a QEMU that sends", () => {
  layer(Layer.mergeAll(Fixtures.layer, Migration.layer), { excludeTestServices: true })((it) => {
    const certificates = TlsCredentials.serverFromDirectory(Tls.directory("x509"))
    const keys = TlsCredentials.serverFromPskFile(Tls.keys("psk"))
    const ways: ReadonlyArray<Receiving> = [
      { channels: 0 },
      {},
      { channels: 8, compression: "zstd" },
      { at: "unix", zeroPages: "legacy" },
      { capabilities: ["return-path"] },
      // Up to 9.2, channels end without a close_notify.
      { machine: "pc-i440fx-9.2" }
    ]
    for (const way of ways) {
      it.effect(`with certificates of both sides, ${JSON.stringify(way)}`, () =>
        receiveFrom(Tls.x509("client", "x509"), certificates, way)
      )
      it.effect(`with a key, ${JSON.stringify(way)}`, () => receiveFrom(Tls.psk("client", "psk"), keys, way))
    }
  })
})
