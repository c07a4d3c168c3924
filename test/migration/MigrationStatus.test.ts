import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Stream from "effect/Stream"
import * as MigrationStatus from "../../src/migration/MigrationStatus.ts"

type Path = ReadonlyArray<MigrationStatus.Status>

/** A way that QEMU goes to each status of a source. */
const source: Readonly<Record<MigrationStatus.Status, Path>> = {
  none: [],
  setup: ["setup"],
  "wait-unplug": ["setup", "wait-unplug"],
  active: ["setup", "active"],
  "pre-switchover": ["setup", "active", "pre-switchover"],
  device: ["setup", "active", "device"],
  completed: ["setup", "active", "device", "completed"],
  cancelling: ["setup", "active", "cancelling"],
  cancelled: ["setup", "active", "cancelling", "cancelled"],
  failing: ["setup", "active", "failing"],
  failed: ["setup", "failed"],
  colo: ["setup", "active", "colo"],
  "postcopy-device": ["setup", "active", "postcopy-device"],
  "postcopy-active": ["setup", "active", "postcopy-active"],
  "postcopy-paused": ["setup", "active", "postcopy-active", "postcopy-paused"],
  "postcopy-recover": ["setup", "active", "postcopy-active", "postcopy-paused", "postcopy-recover"],
  "postcopy-recover-setup": ["setup", "active", "postcopy-active", "postcopy-paused", "postcopy-recover-setup"]
}

const destination: Partial<Record<MigrationStatus.Status, Path>> = {
  none: [],
  setup: ["setup"],
  active: ["setup", "active"],
  completed: ["setup", "active", "completed"],
  failing: ["setup", "active", "failing"],
  failed: ["setup", "failed"],
  colo: ["setup", "active", "colo"],
  "postcopy-active": ["setup", "active", "postcopy-active"],
  "postcopy-paused": ["setup", "active", "postcopy-active", "postcopy-paused"],
  "postcopy-recover": ["setup", "active", "postcopy-active", "postcopy-paused", "postcopy-recover"]
}

/** Every transition between different statuses that real QEMU makes; all others are illegal. */
const legal: Readonly<Record<MigrationStatus.Role, ReadonlySet<string>>> = {
  source: new Set(
    `none>setup setup>wait-unplug setup>active wait-unplug>active active>pre-switchover active>device active>completed
    active>postcopy-device active>postcopy-active active>colo pre-switchover>device device>completed
    device>postcopy-device device>postcopy-active device>colo postcopy-device>postcopy-active postcopy-active>completed
    postcopy-active>postcopy-paused postcopy-paused>postcopy-recover-setup postcopy-paused>postcopy-recover
    postcopy-recover-setup>postcopy-recover postcopy-recover-setup>postcopy-paused postcopy-recover>postcopy-active
    postcopy-recover>postcopy-paused colo>completed cancelling>cancelled failing>failed cancelled>setup failed>setup
    completed>setup ${[
      "setup",
      "wait-unplug",
      "active",
      "pre-switchover",
      "device",
      "postcopy-device",
      "postcopy-active",
      "postcopy-paused",
      "postcopy-recover-setup",
      "postcopy-recover",
      "colo"
    ]
      .map((from) => `${from}>cancelling ${from}>failing ${from}>failed`)
      .join(" ")}`.split(/\s+/)
  ),
  destination: new Set(
    `none>setup setup>active active>completed active>postcopy-active active>colo postcopy-active>completed
    postcopy-active>postcopy-paused postcopy-paused>postcopy-recover postcopy-recover>postcopy-active
    postcopy-recover>postcopy-paused colo>completed failing>failed ${[
      "setup",
      "active",
      "postcopy-active",
      "postcopy-paused",
      "postcopy-recover",
      "colo"
    ]
      .map((from) => `${from}>failing ${from}>failed`)
      .join(" ")}`.split(/\s+/)
  )
}

const all = MigrationStatus.Status.literals

const arriveAt = Effect.fnUntraced(function* (role: MigrationStatus.Role, path: Path) {
  const status = yield* MigrationStatus.make(role)
  for (const next of path) yield* status.enter(next)
  return status
})

describe("MigrationStatus", () => {
  for (const [role, paths] of [["source", source] as const, ["destination", destination] as const]) {
    for (const [from, path] of Object.entries(paths) as ReadonlyArray<[MigrationStatus.Status, Path]>) {
      it.effect(`${role}, ${from}: goes on to what QEMU goes on to, and to nothing else`, () =>
        Effect.gen(function* () {
          for (const to of all) {
            const status = yield* arriveAt(role, path)
            const entered = yield* Effect.result(status.enter(to))
            if (from === to || legal[role].has(`${from}>${to}`)) {
              assert.strictEqual(entered._tag, "Success", `${from} to ${to}`)
              assert.strictEqual(yield* status.current, to)
            } else {
              assert(entered._tag === "Failure", `${from} to ${to}`)
              assert.deepInclude(entered.failure, { _tag: "IllegalTransitionError", role, from, to })
              assert.strictEqual(yield* status.current, from)
            }
          }
        })
      )
    }
  }

  it("a destination never is in a source's statuses", () => {
    const unreachable = all.filter((status) => !(status in destination))
    const reached = all.flatMap((from) => MigrationStatus.successors("destination", from))
    assert.deepStrictEqual(
      unreachable.filter((status) => reached.includes(status)),
      []
    )
    assert.deepStrictEqual(
      unreachable.flatMap((status) => MigrationStatus.successors("destination", status)),
      []
    )
  })

  it("an illegal transition says what would have been legal", () => {
    const error = new MigrationStatus.IllegalTransitionError({ role: "source", from: "cancelling", to: "failed" })
    assert.strictEqual(
      error.message,
      "status of a migration's source: expected cancelled after cancelling, found failed"
    )
    const last = new MigrationStatus.IllegalTransitionError({ role: "destination", from: "completed", to: "setup" })
    assert.include(last.message, "expected no other status after completed, found setup")
  })

  it("knows which statuses are an end, and in which something is under way", () => {
    assert.deepStrictEqual(all.filter(MigrationStatus.isFinal), ["cancelled", "completed", "failed"])
    assert.deepStrictEqual(
      all.filter((status) => !MigrationStatus.isRunning(status)),
      ["none", "cancelled", "completed", "failed"]
    )
  })

  it.effect("tells each status and each pass once, in order, to those that come late as well", () =>
    Effect.gen(function* () {
      const status = yield* MigrationStatus.make("source")
      yield* status.enter("setup")
      yield* status.pass
      yield* status.enter("active")
      yield* status.enter("active")
      assert.strictEqual(yield* status.pass, 2)
      const late = yield* Effect.forkChild(Stream.runCollect(Stream.take(status.events, 6)))
      yield* status.enter("failed")
      yield* status.enter("setup")
      assert.strictEqual(yield* status.pass, 1)
      assert.deepStrictEqual(yield* Fiber.join(late), [
        { event: "MIGRATION", status: "setup" },
        { event: "MIGRATION_PASS", pass: 1 },
        { event: "MIGRATION", status: "active" },
        { event: "MIGRATION_PASS", pass: 2 },
        { event: "MIGRATION", status: "failed" },
        { event: "MIGRATION", status: "setup" }
      ])
    })
  )

  it.effect("the status of an event is the present one when the event arrives", () =>
    Effect.gen(function* () {
      const status = yield* MigrationStatus.make("source")
      const seen = yield* status.events.pipe(
        Stream.mapEffect(() => status.current),
        Stream.take(2),
        Stream.runCollect,
        Effect.forkChild({ startImmediately: true })
      )
      yield* status.enter("setup")
      yield* Effect.yieldNow
      yield* status.enter("active")
      assert.deepStrictEqual(yield* Fiber.join(seen), ["setup", "active"])
    })
  )

  it.effect("changes begin with the present status", () =>
    Effect.gen(function* () {
      const status = yield* MigrationStatus.make("destination")
      yield* status.enter("setup")
      const changes = yield* Effect.forkChild(Stream.runCollect(Stream.take(status.changes, 3)), {
        startImmediately: true
      })
      yield* status.enter("active")
      yield* status.enter("completed")
      assert.deepStrictEqual(yield* Fiber.join(changes), ["setup", "active", "completed"])
    })
  )
})
