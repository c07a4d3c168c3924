import { assert, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as TlsCredentials from "../../src/io/sockets/TlsCredentials.ts"
import * as Migration from "../../src/migration/Migration.ts"
import type { TlsReason } from "../../src/io/sockets/ConnectionError.ts"
import * as Guest from "../support/qemu/guest.ts"
import * as Library from "../support/qemu/library.ts"
import * as Sockets from "../support/qemu/sockets.ts"
import { describeQemu } from "../support/qemu/suite.ts"
import * as Tls from "../support/qemu/tls.ts"
import * as Workspace from "../support/qemu/workspace.ts"

const MIB = 1024 * 1024
const CHANNELS = 2

const certificates = TlsCredentials.serverFromDirectory(Tls.directory("x509"), { verifyPeer: true })
const keys = TlsCredentials.serverFromPskFile(Tls.keys("psk"))

interface Refusal {
  readonly theirs: ReadonlyArray<string>
  readonly ours: typeof certificates
  readonly reason: TlsReason
}

const refusals: Record<string, Refusal> = {
  "a certificate of another authority": {
    theirs: Tls.x509("client", "stranger", false),
    ours: certificates,
    reason: "certificate"
  },
  "a certificate whose time is over": {
    theirs: Tls.x509("client", "expired", false),
    ours: certificates,
    reason: "certificate"
  },
  "no certificate": { theirs: Tls.x509("client", "elsewhere"), ours: certificates, reason: "certificate" },
  "another key": { theirs: Tls.psk("client", "psk-other"), ours: keys, reason: "key" }
}

const send = Effect.fnUntraced(function* (theirs: ReadonlyArray<string>, uri: string, tlsHostname = "localhost") {
  const guest = yield* Guest.start({ ram: { size: 16 * MIB }, args: theirs })
  // With an answer to wait for, QEMU cannot take for sent what fits into the sockets' buffers.
  const options = { channels: CHANNELS, tls: Tls.ID, tlsHostname, capabilities: ["return-path"] }
  return yield* Effect.exit(Sockets.send(guest, uri, options))
})

describeQemu("a QEMU that sends, and whose TLS is not ours", () => {
  for (const [name, { ours, reason, theirs }] of Object.entries(refusals)) {
    it.live(`${name}: TlsError here, and QEMU says that it failed`, () =>
      Effect.gen(function* () {
        const space = yield* Workspace.make
        const { received, uri } = yield* Library.receive("tcp:127.0.0.1:0", space.file("image"), {
          tls: yield* ours,
          channels: CHANNELS
        })
        const sent = yield* send(theirs, uri)
        const error = yield* Effect.flip(received)
        assert(error._tag === "TlsError")
        assert.strictEqual(error.reason, reason)
        if (reason === "certificate")
          assert.include(error.message, "expected one of an authority that we know, found none")
        assert.isTrue(Exit.isFailure(sent))
        assert.include(String(sent), "TLS handshake failed")
      }).pipe(Effect.scoped, Effect.provide(Migration.layer))
    )
  }

  it.live("another name than it expects: QEMU leaves, and says why; whoever comes next is received", () =>
    Effect.gen(function* () {
      const space = yield* Workspace.make
      const options = { tls: yield* certificates, channels: CHANNELS }
      const { received, uri } = yield* Library.receive("tcp:127.0.0.1:0", space.file("image"), options)
      const theirs = Tls.x509("client", "x509")
      const refused = yield* send(theirs, uri, "elsewhere.example")
      assert.include(String(refused), "Certificate does not match the hostname elsewhere.example")
      assert.isTrue(Exit.isSuccess(yield* send(theirs, uri)))
      yield* received
    }).pipe(Effect.scoped, Effect.provide(Migration.layer))
  )
})
