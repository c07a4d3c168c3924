import { assert, describe } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as SocketAddress from "../../src/io/sockets/SocketAddress.ts"
import * as Capture from "../../src/qemu/Capture.ts"
import * as FakeQemu from "../support/worlds/fakeQemu.ts"
import { test } from "../support/worlds/capture.ts"

const TARGET = "/images/vm.img"
const listen = SocketAddress.unix("/x/migration")

/** A QEMU whose migration fails with these words before it has connected. */
const failing = (words: string) =>
  FakeQemu.make(() => {}, {
    migrate: (_args, state) => {
      Object.assign(state, { status: "failed", description: words })
      return Effect.as(state.tell("MIGRATION", { status: "failed" }), {})
    }
  })

describe("a QEMU that cannot come to the socket of a capture", () => {
  for (const words of [
    "Failed to connect to '/x/migration': Permission denied",
    "Failed to connect to '/x/migration': No such file or directory",
    "/x/migration: EACCES"
  ]) {
    test(`${words}: the place, its words and the way out`, () =>
      Effect.gen(function* () {
        const { qmp, state } = yield* failing(words)
        const error = yield* Effect.flip(Capture.run({ qmp, target: TARGET, listen }))
        assert.deepInclude(error, { _tag: "SocketUnreachableError", address: "unix:/x/migration", description: words })
        assert.match(error.message, /--listen unix:PATH in a directory of both, or --listen tcp:HOST:PORT$/)
        assert.isTrue(state.running)
      }))
  }

  for (const description of ["State blocked by a device", "Unable to write to socket: Broken pipe"]) {
    test(`${description}: stays in QEMU's words`, () =>
      Effect.gen(function* () {
        const { qmp } = yield* failing(description)
        const error = yield* Effect.flip(Capture.run({ qmp, target: TARGET, listen }))
        assert.deepInclude(error, { _tag: "QemuMigrationError", description })
      }))
  }
})
