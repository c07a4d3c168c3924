/**
 * `multifd resume --instant` and `--recover` with real QEMUs: the guest checks every word of its memory.
 */
import { assert, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import type * as Scope from "effect/Scope"
import * as Net from "node:net"
import * as Migration from "../../src/migration/Migration.ts"
import * as QmpCommands from "../../src/qemu/QmpCommands.ts"
import * as Cli from "../support/qemu/cli.ts"
import type * as Qemu from "../support/qemu/qemu.ts"
import * as SelfCheck from "../support/qemu/selfCheck.ts"
import { describeQemus } from "../support/qemu/suite.ts"
import * as Workspace from "../support/qemu/workspace.ts"

const MIB = 1024 * 1024

/** A port that nobody listens on. */
const freePort = Effect.callback<number>((resume) => {
  const server = Net.createServer().listen(0, "127.0.0.1", () => {
    const address = server.address()
    server.close(() => resume(Effect.succeed(typeof address === "object" && address !== null ? address.port : 0)))
  })
})

const statusOf = (qmp: Parameters<typeof QmpCommands.queryMigrate>[0]) =>
  Effect.map(QmpCommands.queryMigrate(qmp), ({ status }) => status)

const scene = (qemu: Qemu.Qemu, size = 64 * MIB, ram?: string) =>
  Effect.gen(function* () {
    const space = yield* Workspace.make
    const { errors } = yield* SelfCheck.captured(space, { qemu, size })
    const file = ram === undefined ? {} : { ram: space.file(ram) }
    const fresh = yield* SelfCheck.start(space, "fresh", { qemu, size, ...file }, true)
    const checked = Effect.gen(function* () {
      const { rounds } = SelfCheck.read(fresh.ram)
      yield* SelfCheck.reach(fresh.ram, rounds + 2)
      assert.strictEqual(SelfCheck.read(fresh.ram).errors, errors)
    })
    return { space, fresh, checked, image: space.file("image") }
  })

const test = (title: string, body: Effect.Effect<void, unknown, Scope.Scope | Migration.Migration>) =>
  it.live(title, () => body.pipe(Effect.timeout("60 seconds"), Effect.scoped, Effect.provide(Migration.layer)))

describeQemus("multifd resume --instant", ["10.0", "11.1"], (qemu) => {
  test(
    "the guest runs at once, every word is right, and the settings are as before",
    Effect.gen(function* () {
      const { checked, fresh, image } = yield* scene(qemu)
      const before = yield* QmpCommands.queryMigrateCapabilities(fresh.qmp)
      const ran = yield* Cli.run("resume", "--qmp", fresh.socket2, image, "--instant")
      assert.strictEqual(ran.code, 0, ran.stderr)
      assert.match(ran.stderr, /running after \d+ ms/)
      yield* checked
      assert.deepStrictEqual(yield* QmpCommands.queryMigrateCapabilities(fresh.qmp), before)
    })
  )

  test(
    "--paused: the guest is loaded and stopped; the event says so",
    Effect.gen(function* () {
      const { checked, fresh, image } = yield* scene(qemu)
      const args = ["resume", "--qmp", fresh.socket2, image, "--instant", "--paused", "--progress", "json"]
      const ran = yield* Cli.run(...args)
      assert.strictEqual(ran.code, 0, ran.stderr)
      assert.include(ran.stderr, `{"event":"loaded","ms":`)
      assert.isFalse((yield* QmpCommands.queryStatus(fresh.qmp)).running)
      yield* QmpCommands.cont(fresh.qmp)
      yield* checked
    })
  )

  test(
    "killed while the guest runs: it is paused, and another process recovers it",
    Effect.gen(function* () {
      const { checked, fresh, image } = yield* scene(qemu)
      for (let death = 0; death < 3; death++) {
        const how = death === 0 ? ["--instant", "--lazy"] : ["--recover", "--lazy"]
        const source = yield* Effect.forkChild(Cli.run("resume", "--qmp", fresh.socket2, image, ...how))
        yield* Effect.repeat(
          Effect.tap(statusOf(fresh.qmp), () => Effect.sleep("20 millis")),
          {
            until: (status) => status === "postcopy-active"
          }
        )
        yield* Effect.sleep("300 millis")
        const refused = yield* Cli.run("capture", "--qmp", fresh.socket3, `${image}-2`)
        assert.strictEqual(refused.code, 2, refused.stderr)
        yield* Fiber.interrupt(source)
        yield* Effect.repeat(
          Effect.tap(statusOf(fresh.qmp), () => Effect.sleep("20 millis")),
          {
            until: (status) => status === "postcopy-paused"
          }
        )
      }
      const ran = yield* Cli.run("resume", "--qmp", fresh.socket2, image, "--recover")
      assert.strictEqual(ran.code, 0, ran.stderr)
      yield* checked
      const late = yield* Cli.run("resume", "--qmp", fresh.socket2, image, "--recover")
      assert.strictEqual(late.code, 2, late.stderr)
      assert.include(late.stderr, "no guest waits for its memory: the migration is completed")
    })
  )

  test(
    "RAM in a file of a disk: refused before anything is touched, with the ways out; --fallback loads it as ever",
    Effect.gen(function* () {
      const { checked, fresh, image } = yield* scene(qemu, 64 * MIB, "on-disk")
      const refused = yield* Cli.run("resume", "--qmp", fresh.socket2, image, "--instant")
      assert.strictEqual(refused.code, 2, refused.stderr)
      assert.include(refused.stderr, "TMPFS or HUGETLBFS")
      assert.include(refused.stderr, "vm.unprivileged_userfaultfd")
      assert.strictEqual((yield* QmpCommands.queryStatus(fresh.qmp)).status, "inmigrate")
      const ran = yield* Cli.run("resume", "--qmp", fresh.socket2, image, "--instant", "--fallback")
      assert.strictEqual(ran.code, 0, ran.stderr)
      yield* checked
    })
  )
})

describeQemus("multifd send --instant", ["10.0", "11.1"], (qemu) => {
  for (const preempt of ["off", "on"]) {
    test(
      `over TCP, preempt ${preempt}: the guest runs at once, and every word is right`,
      Effect.gen(function* () {
        const { checked, fresh, image } = yield* scene(qemu)
        const capabilities = { "postcopy-ram": true, "postcopy-preempt": preempt === "on" }
        yield* QmpCommands.migrateSetCapabilities(fresh.qmp, capabilities)
        const uri = `tcp:127.0.0.1:${yield* freePort}`
        yield* QmpCommands.migrateIncoming(fresh.qmp, uri)
        const ran = yield* Cli.run("send", image, "--to", uri, "--instant", "--preempt", preempt)
        assert.strictEqual(ran.code, 0, ran.stderr)
        assert.match(ran.stderr, /running after \d+ ms/)
        yield* checked
      })
    )
  }
})
