import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as TestClock from "effect/testing/TestClock"
import * as ObjectName from "../../src/format/store/ObjectName.ts"
import * as Migration from "../../src/migration/Migration.ts"
import * as Check from "../../src/store/Check.ts"
import * as MemoryObjects from "../../src/store/MemoryObjects.ts"
import * as Repository from "../../src/store/Repository.ts"
import * as Retention from "../../src/store/Retention.ts"
import * as FaultyObjects from "../../src/testing/FaultyObjects.ts"
import { bytesOf, memoryOf, PAGE, save } from "../support/store/machines.ts"

const { Fail, Hang, Late, Lost } = FaultyObjects.Fault

/** The kinds of the objects that are left. */
const kindsOf = (store: MemoryObjects.MemoryObjects): Readonly<Record<string, number>> => {
  const kinds: Record<string, number> = {}
  for (const name of store.objects.keys()) {
    const kind = ObjectName.parse(name)?.kind ?? name
    kinds[kind] = (kinds[kind] ?? 0) + 1
  }
  return kinds
}

/** The store with every call as planned. */
const faulty = (repository: Repository.Repository, plan: FaultyObjects.Plan) => {
  const objects = FaultyObjects.make(repository.objects, plan)
  return { repository: { ...repository, objects: objects.calls }, log: objects.log }
}

/** Lets time pass until a fiber has ended: a repeated call waits for its turn. */
const endOf = <A, E>(fiber: Fiber.Fiber<A, E>): Effect.Effect<Exit.Exit<A, E>> =>
  Effect.gen(function* () {
    for (let second = 0; second < 1000 && fiber.pollUnsafe() === undefined; second++) {
      yield* Effect.repeat(Effect.yieldNow, { times: 50 })
      yield* TestClock.adjust("1 second")
    }
    return yield* Fiber.await(fiber)
  })

const world = <A, E>(
  program: (
    repository: Repository.Repository,
    store: MemoryObjects.MemoryObjects
  ) => Effect.Effect<A, E, Migration.Migration>
) =>
  Effect.suspend(() => {
    const store = MemoryObjects.make()
    return Effect.flatMap(Repository.init(), (repository) => program(repository, store)).pipe(
      Effect.provide([store.layer, Migration.layer])
    )
  })

describe("forget, unforget and prune", () => {
  it.effect("a forgotten snapshot is removed after its grace, and those that share its pages stay whole", () =>
    world((repository, store) =>
      Effect.gen(function* () {
        const [a, b] = [memoryOf(40), memoryOf(40)]
        b.fill(99, 0, 2 * PAGE)
        const first = yield* save(repository, a)
        yield* TestClock.adjust("1 second")
        const second = yield* save(repository, b)
        yield* Retention.forget(repository, first.snapshot)
        assert.deepInclude(yield* Retention.prune(repository), { pruned: [], objects: 0 })
        yield* TestClock.adjust("25 hours")
        const dry = yield* Retention.prune(repository, { dryRun: true })
        assert.deepInclude(dry, { pruned: [first.snapshot], objects: 1 })
        assert.deepStrictEqual(kindsOf(store), { config: 1, record: 5, map: 2, pack: 2 })
        assert.deepStrictEqual(yield* Retention.prune(repository), dry)
        // The pack of the first holds pages of the second.
        assert.deepStrictEqual(kindsOf(store), { config: 1, record: 6, map: 1, pack: 2 })
        assert.deepStrictEqual(yield* bytesOf(repository, second.snapshot), b)
        yield* Retention.forget(repository, second.snapshot)
        yield* Retention.prune(repository, { graceSeconds: 0 })
        assert.deepStrictEqual(kindsOf(store), { config: 1, record: 8 })
        yield* TestClock.adjust("31 days")
        yield* Retention.prune(repository)
        assert.deepStrictEqual(kindsOf(store), { config: 1, record: 2 })
      })
    )
  )

  it.effect("a forgotten snapshot comes back with unforget, and one that was pruned does not", () =>
    world((repository) =>
      Effect.gen(function* () {
        const bytes = memoryOf(12)
        const { snapshot } = yield* save(repository, bytes, { labels: { kept: "yes" } })
        yield* Retention.forget(repository, snapshot)
        assert.strictEqual((yield* Effect.flip(bytesOf(repository, snapshot)))._tag, "SnapshotNotFoundError")
        yield* Retention.unforget(repository, snapshot)
        assert.deepStrictEqual(yield* bytesOf(repository, snapshot), bytes)
        yield* Retention.forget(repository, snapshot)
        yield* Retention.prune(repository, { graceSeconds: 0 })
        assert.strictEqual((yield* Effect.flip(Retention.unforget(repository, snapshot)))._tag, "SnapshotNotFoundError")
      })
    )
  )

  it.effect("a record or a map that cannot be read stops a prune before it deletes anything", () =>
    world((repository, store) =>
      Effect.gen(function* () {
        const first = yield* save(repository, memoryOf(8))
        yield* save(repository, memoryOf(8, 1))
        yield* Retention.forget(repository, first.snapshot)
        for (const [name, object] of [...store.objects].filter(([name]) => /^(?:vm|map)\//.test(name))) {
          if (name.includes(first.snapshot)) continue
          store.objects.set(name, { ...object, body: object.body.slice(1) })
          const before = kindsOf(store)
          const exit = yield* Effect.exit(Retention.prune(repository, { graceSeconds: 1e9 }))
          assert.isTrue(Exit.isFailure(exit), name)
          assert.deepStrictEqual(kindsOf(store), before)
          store.objects.set(name, object)
        }
      })
    )
  )

  it.effect("a writer that is killed at any call leaves what others have, and the next prune removes the rest", () =>
    Effect.gen(function* () {
      let isOver = false
      for (let last = 0; !isOver; last++) {
        yield* world((repository, store) =>
          Effect.gen(function* () {
            const bytes = memoryOf(24)
            const { snapshot } = yield* save(repository, bytes)
            yield* TestClock.adjust("1 second")
            const changed = memoryOf(24, 3)
            const killed = faulty(repository, ({ index }) => (index >= last ? Hang() : undefined))
            const fiber = yield* Effect.forkDetach(save(killed.repository, changed))
            yield* Effect.repeat(Effect.yieldNow, { times: 400 })
            isOver = fiber.pollUnsafe() !== undefined
            yield* TestClock.adjust("1 hour")
            yield* Retention.prune(repository)
            assert.deepStrictEqual((yield* Check.check(repository)).damages, [])
            assert.deepStrictEqual(yield* bytesOf(repository, snapshot), bytes)
            const committed = (yield* Repository.chains(repository)).filter(({ state }) => state._tag === "Committed")
            assert.strictEqual(kindsOf(store)["map"], committed.length, `killed at call ${last}`)
            for (const chain of committed) {
              const expected = chain.snapshot === snapshot ? bytes : changed
              assert.deepStrictEqual(yield* bytesOf(repository, chain.snapshot), expected)
            }
          })
        )
        assert.isBelow(last, 100)
      }
    })
  )

  it.effect("a call that fails or whose answer is lost is repeated, or the save fails and nothing is left of it", () =>
    Effect.gen(function* () {
      for (const fault of [Fail(), Lost()]) {
        let isOver = false
        for (let at = 0; !isOver; at++) {
          yield* world((repository, store) =>
            Effect.gen(function* () {
              const bytes = memoryOf(8)
              yield* save(repository, bytes)
              const trial = faulty(repository, ({ index }) => (index === at ? fault : undefined))
              const fiber = yield* Effect.forkDetach(save(trial.repository, memoryOf(8, 3)))
              const exit = yield* endOf(fiber)
              isOver = trial.log().length <= at
              yield* TestClock.adjust("1 hour")
              yield* Retention.prune(repository)
              const report = yield* Check.check(repository)
              assert.deepStrictEqual(report.damages, [])
              assert.strictEqual(kindsOf(store)["map"], report.snapshots)
              assert.strictEqual(report.snapshots >= (Exit.isSuccess(exit) ? 2 : 1), true, `${fault._tag} at ${at}`)
            })
          )
          assert.isBelow(at, 100)
        }
      }
    })
  )

  it.effect("writers, forget, unforget and prunes at once lose no committed snapshot", () =>
    Effect.gen(function* () {
      const seen = new Set<string>()
      for (let seed = 1; seed <= 30; seed++) {
        let state = seed
        const random = (below: number): number => {
          state = (Math.imul(state, 1664525) + 1013904223) >>> 0
          return Math.floor((state / 2 ** 32) * below)
        }
        yield* world((repository, store) =>
          Effect.gen(function* () {
            const late = () => faulty(repository, () => Late({ turns: random(12) })).repository
            const base = yield* save(repository, memoryOf(12))
            yield* TestClock.adjust("1 second")
            const contents = [1, 2, 3].map((number) => memoryOf(12, number))
            const writers = yield* Effect.forEach(contents, (bytes) => Effect.forkDetach(save(late(), bytes)))
            const retention = yield* Effect.forEach(
              [
                Retention.forget(late(), base.snapshot),
                Retention.prune(late(), { graceSeconds: 0 }),
                Retention.unforget(late(), base.snapshot),
                Retention.prune(late(), { graceSeconds: 0 })
              ],
              (work: Effect.Effect<unknown, unknown>) =>
                Effect.forkDetach(Effect.andThen(Effect.repeat(Effect.yieldNow, { times: random(60) }), work))
            )
            const saved = yield* Effect.forEach(writers, (fiber) => Fiber.await(fiber))
            for (const fiber of retention) seen.add((yield* Fiber.await(fiber))._tag)
            for (const [index, exit] of saved.entries()) {
              seen.add(`save ${exit._tag}`)
              if (!Exit.isSuccess(exit)) continue
              seen.add(exit.value.parent === undefined ? "without a base" : "with a base")
              assert.deepStrictEqual(yield* bytesOf(repository, exit.value.snapshot), contents[index], `seed ${seed}`)
            }
            yield* TestClock.adjust("1 hour")
            yield* Retention.prune(repository, { graceSeconds: 0 })
            const report = yield* Check.check(repository)
            assert.deepStrictEqual(report.damages, [], `seed ${seed}`)
            assert.strictEqual(kindsOf(store)["map"] ?? 0, report.snapshots, `seed ${seed}`)
          })
        )
      }
      assert.deepStrictEqual([...seen].toSorted(), [
        "Failure",
        "Success",
        "save Success",
        "with a base",
        "without a base"
      ])
    })
  )
})
