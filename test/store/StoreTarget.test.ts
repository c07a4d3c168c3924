import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as TestClock from "effect/testing/TestClock"
import * as Migration from "../../src/migration/Migration.ts"
import * as MemoryObjects from "../../src/store/MemoryObjects.ts"
import * as Repository from "../../src/store/Repository.ts"
import * as StoreTarget from "../../src/store/StoreTarget.ts"
import * as FaultyObjects from "../../src/testing/FaultyObjects.ts"
import * as TransferCounters from "../../src/transfer/TransferCounters.ts"
import { memoryOf, save } from "../support/store/machines.ts"

const machine = {
  configuration: undefined,
  prelude: new Uint8Array(0),
  ramSectionId: 2,
  blocks: [{ idstr: "ram", usedLength: 4096, pageSize: 4096 }]
}
const layout = { deviceState: { position: 0, length: 0 }, description: { position: 0, length: 0 } }
const transfer = { counters: TransferCounters.make(), coalescePages: 0 }

/** The steps of a target, with this work in place of pages. */
const fill = (repository: Repository.Repository, work: Effect.Effect<void>) =>
  Effect.gen(function* () {
    const ram = yield* StoreTarget.make(repository, { vm: "web-1" }).begin(machine, transfer)
    yield* ram.during(work)
    const state = yield* ram.endRam({ early: new Uint8Array(0), switchoverStart: false, footers: true })
    const { sync } = yield* state.finish(layout)
    return yield* (yield* sync).commit
  }).pipe(Effect.scoped)

describe("a store as a target", () => {
  it.effect("RAM that ends while the lease is renewed commits behind the renewal", () =>
    Effect.gen(function* () {
      const store = MemoryObjects.make()
      const repository = yield* Effect.provide(Repository.init(), store.layer)
      const { calls } = store
      // The record is there at once, its answer a second later.
      const slow = {
        ...calls,
        putIfAbsent: (name: string, body: Parameters<typeof calls.putIfAbsent>[1]) =>
          Effect.tap(calls.putIfAbsent(name, body), () =>
            name.endsWith("/1") ? Effect.sleep("1 second") : Effect.void
          )
      }
      const filling = yield* Effect.forkChild(fill({ ...repository, objects: slow }, Effect.sleep("100500 millis")))
      for (let second = 0; second < 110; second++) yield* TestClock.adjust("1 second")
      const { snapshot } = yield* Fiber.join(filling)
      const [chain] = yield* Repository.chains(repository)
      assert.deepStrictEqual(
        chain?.records.map(({ state }) => state),
        ["OPEN", "RENEW", "COMMIT"]
      )
      assert.strictEqual(chain?.snapshot, snapshot)
    })
  )

  it.effect("a base that is not there is refused before anything is written", () =>
    Effect.gen(function* () {
      const store = MemoryObjects.make()
      yield* Effect.gen(function* () {
        const repository = yield* Repository.init()
        yield* save(repository, memoryOf(4))
        const before = [...store.objects.keys()]
        const error = yield* Effect.flip(save(repository, memoryOf(4), { base: { snapshot: "zzz" } }))
        assert.strictEqual(error._tag, "SnapshotNotFoundError")
        assert.deepStrictEqual([...store.objects.keys()], before)
      }).pipe(Effect.provide([store.layer, Migration.layer]))
    })
  )

  it.effect("looks at the chains of its machine and of its base, and at no others", () =>
    Effect.gen(function* () {
      const store = MemoryObjects.make()
      yield* Effect.gen(function* () {
        const repository = yield* Repository.init()
        yield* save(repository, memoryOf(4), { vm: "other" })
        yield* save(repository, memoryOf(4))
        const objects = FaultyObjects.make(repository.objects, () => undefined)
        yield* save({ ...repository, objects: objects.calls }, memoryOf(4))
        const others = `vm/${repository.keys.machineId("other")}/`
        const isOther = ({ object }: FaultyObjects.Call) => object.startsWith(others) || object === "vm/"
        assert.deepStrictEqual(objects.log().filter(isOther), [])
      }).pipe(Effect.provide([store.layer, Migration.layer]))
    })
  )
})
