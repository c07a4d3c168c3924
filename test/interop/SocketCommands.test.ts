import { assert, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fs from "node:fs"
import * as Cli from "../support/qemu/cli.ts"
import * as Files from "../support/qemu/files.ts"
import * as Fixtures from "../support/qemu/fixtures.ts"
import * as Guest from "../support/qemu/guest.ts"
import * as Sockets from "../support/qemu/sockets.ts"
import { describeQemu } from "../support/qemu/suite.ts"
import * as Tls from "../support/qemu/tls.ts"

const ANY_PORT = "tcp:127.0.0.1:0"

/** What both sides are told: QEMU, and the command. */
interface Way {
  readonly args?: ReadonlyArray<string>
  readonly theirs: Sockets.Options
  readonly ours: ReadonlyArray<string>
}

const x509 = ["--tls-dir", Tls.directory("x509")]
const psk = ["--tls-psk", Tls.keys("psk")]
const UUID = "00112233-4455-6677-8899-aabbccddeeff"

/** A guest is paused, and sends itself to the command, whose words come back. */
const receive = Effect.fnUntraced(function* (path: string, { args = [], ours, theirs }: Way) {
  const { ram } = yield* (yield* Fixtures.Fixtures).saved({})
  const { ran, uri } = yield* Cli.listen("--listen", ANY_PORT, path, ...ours)
  const guest = yield* Guest.start({ ram, args })
  const sent = yield* Effect.exit(Sockets.send(guest, uri, theirs))
  return { sent, ...(yield* ran) }
})

/** A guest waits, and the command sends it an image. */
const send = Effect.fnUntraced(function* ({ args = [], ours, theirs }: Way) {
  const { saved } = yield* Fixtures.Fixtures
  const original = yield* saved({})
  const { guest, ram } = yield* Fixtures.startLike(original, args)
  const { loaded, uri } = yield* Sockets.listen(guest, ANY_PORT, theirs)
  const ran = yield* Cli.run("send", original.path, "--to", uri, ...ours)
  return { loaded, sameRam: () => Files.firstDifference(original.ram.file, ram) === undefined, ...ran }
})

const ways: Record<string, { readonly receive: Way; readonly send: Way }> = {
  "without multifd": {
    receive: { theirs: {}, ours: ["--channels", "0"] },
    send: { theirs: {}, ours: ["--channels", "0"] }
  },
  "8 channels, zstd, zero pages by the main channel, a uuid": {
    receive: {
      args: ["-uuid", UUID],
      theirs: { channels: 8, compression: "zstd", zeroPages: "legacy" },
      ours: ["--channels", "8", "--compression", "zstd", "--uuid", UUID]
    },
    send: {
      args: ["-uuid", UUID],
      theirs: { channels: 8, compression: "zstd" },
      ours: ["--channels=8", "--compression=zstd", "--level=3", "--zero-page-detection=legacy", "--uuid", UUID]
    }
  },
  certificates: {
    receive: {
      args: Tls.x509("client", "x509"),
      theirs: { channels: 2, tls: Tls.ID },
      ours: [...x509, "--tls-verify-peer"]
    },
    send: { args: Tls.x509("server", "x509"), theirs: { channels: 2, tls: Tls.ID }, ours: x509 }
  },
  keys: {
    receive: { args: Tls.psk("client", "psk"), theirs: { channels: 2, tls: Tls.ID }, ours: psk },
    send: { args: Tls.psk("server", "psk"), theirs: { channels: 2, tls: Tls.ID }, ours: psk }
  }
}

/** What the command says of a QEMU that does not do what it was told to expect. */
const refusals: Record<string, { readonly way: Way; readonly code: number; readonly error: string }> = {
  "compression that was not agreed on": {
    way: { theirs: { channels: 2, compression: "zlib" }, ours: [] },
    code: 8,
    error: "ProtocolError"
  },
  "a channel too few": {
    way: { theirs: { channels: 1 }, ours: ["--timeout", "1"] },
    code: 9,
    error: "PeerTimeoutError"
  },
  "no TLS where it is due": { way: { theirs: { channels: 2 }, ours: x509 }, code: 8, error: "TlsError" },
  "a certificate of another authority": {
    way: {
      args: Tls.x509("client", "stranger"),
      theirs: { channels: 2, tls: Tls.ID },
      ours: [...x509, "--tls-verify-peer"]
    },
    code: 8,
    error: "TlsError"
  }
}

describeQemu("the commands with sockets", () => {
  layer(Fixtures.layer, { excludeTestServices: true })((it) => {
    for (const [name, way] of Object.entries(ways)) {
      it.effect(`receive: ${name}`, () =>
        Effect.gen(function* () {
          const { fresh, saved } = yield* Fixtures.Fixtures
          const original = yield* saved({})
          const path = fresh("file")
          const { code, stderr } = yield* Effect.scoped(receive(path, way.receive))
          assert.strictEqual(code, 0, stderr)
          const { loaded, ram } = yield* Fixtures.loadLike(original, { path, channels: 2 })
          assert.include(loaded, { status: "completed", reason: "" })
          assert.strictEqual(Files.firstDifference(original.ram.file, ram), undefined)
        })
      )

      it.effect(`send: ${name}`, () =>
        Effect.gen(function* () {
          const { code, loaded, sameRam, stderr } = yield* send(way.send)
          assert.strictEqual(code, 0, stderr)
          assert.strictEqual(stderr, "")
          assert.include(yield* loaded, { status: "completed", reason: "" })
          assert.isTrue(sameRam())
        })
      )
    }

    for (const [name, { code, error, way }] of Object.entries(refusals)) {
      it.effect(`receive: exit code ${code} for ${name}, and no image`, () =>
        Effect.gen(function* () {
          const path = (yield* Fixtures.Fixtures).fresh("file")
          const ran = yield* receive(path, way)
          assert.strictEqual(ran.code, code, ran.stderr)
          const last = ran.stderr.trimEnd().split("\n").at(-1)!
          assert.include(JSON.parse(last), { event: "failed", error, exitCode: code })
          assert.isFalse(Fs.existsSync(path))
        })
      )
    }
  })
})
