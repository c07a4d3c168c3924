import { assert, describe, it } from "@effect/vitest"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Random from "effect/Random"
import * as Migration from "../../src/migration/Migration.ts"
import * as MemoryPages from "../../src/ram/MemoryPages.ts"
import * as FaultyFiles from "../../src/testing/FaultyFiles.ts"
import * as MemoryDisk from "../../src/testing/MemoryDisk.ts"
import * as Simulation from "../../src/testing/Simulation.ts"

const seeds = Array.from({ length: 20 }, (_, index) => index)

const valueOf = <A>({ exit }: Simulation.Outcome<A, unknown>): A => {
  assert(exit !== undefined && Exit.isSuccess(exit))
  return exit.value
}

/** In which order ten fibers come to an end that all do the same. */
const race = (world: Simulation.World) =>
  Effect.gen(function* () {
    const order: Array<number> = []
    const runner = (id: number) =>
      Effect.gen(function* () {
        yield* Effect.callback<void>((resume) => world.later(() => resume(Effect.void)))
        yield* Effect.sleep(1)
        order.push(id)
      })
    yield* Effect.all(
      Array.from({ length: 10 }, (_, id) => runner(id)),
      { concurrency: "unbounded" }
    )
    return order
  })

/** A save to a disk of the world's own. */
const save = (world: Simulation.World, plan: FaultyFiles.Plan = FaultyFiles.none) =>
  Effect.gen(function* () {
    const disk = MemoryDisk.make({ later: world.later })
    const files = FaultyFiles.make(plan, disk.calls, { later: world.later })
    const block = yield* MemoryPages.make({ idstr: "ram", memory: new Uint8Array(32 * 4096).fill(1) })
    const saving = Migration.make.save({ target: "/vm.img", blocks: [block], batchSize: 4 * 4096 })
    const exit = yield* Effect.exit(Effect.provide(saving, files.layer))
    return { exit, left: disk.files(), log: files.log().map(({ name, path }) => `${name} ${path}`) }
  })

describe("Simulation", () => {
  it.effect("the same seed gives the same run, whatever ran in between", () =>
    Effect.gen(function* () {
      const once = yield* Effect.forEach(seeds, (seed) => Simulation.run(save, { seed }))
      const again = yield* Effect.forEach(seeds.toReversed(), (seed) => Simulation.run(save, { seed }))
      for (const [index, outcome] of again.toReversed().entries()) {
        const { digest, millis, steps } = once[index]!
        assert.deepStrictEqual([outcome.digest, outcome.millis, outcome.steps], [digest, millis, steps])
        assert.deepStrictEqual(valueOf(outcome).log, valueOf(once[index]!).log, "down to the names of temporary files")
      }
      assert.strictEqual(new Set(once.map(({ digest }) => digest)).size, seeds.length)
    })
  )

  it.effect("seeds differ in what comes first", () =>
    Effect.gen(function* () {
      const orders = yield* Effect.forEach(seeds, (seed) => Effect.map(Simulation.run(race, { seed }), valueOf))
      assert.isAtLeast(new Set(orders.map((order) => order.join())).size, seeds.length - 1)
      for (const order of orders) assert.lengthOf(new Set(order), 10)
    })
  )

  it.effect("seeds differ in where a fiber gives way", () =>
    Effect.gen(function* () {
      let lead = 0
      const program = Effect.gen(function* () {
        const seen = new Set<number>()
        const counter = Effect.gen(function* () {
          for (let count = 0; count < 200; count++) yield* Effect.sync(() => lead++)
        })
        const watcher = Effect.sync(() => seen.add(lead))
        lead = 0
        yield* Effect.all([counter, watcher], { concurrency: "unbounded" })
        return [...seen]
      })
      const leads = yield* Effect.forEach(seeds, (seed) =>
        Effect.map(
          Simulation.run(() => program, { seed }),
          valueOf
        )
      )
      const middles = leads.flat().filter((lead) => lead > 0 && lead < 200)
      assert.isNotEmpty(middles)
    })
  )

  it.effect("time passes when nothing else is to be done, and takes none", () =>
    Effect.gen(function* () {
      const program = Effect.gen(function* () {
        yield* Effect.sleep("50 minutes")
        const nanos = [yield* Clock.monotonicTimeNanos, yield* Clock.currentTimeNanos]
        return [yield* Clock.currentTimeMillis, ...nanos.map((time) => Math.floor(Number(time) / 1e6))]
      })
      const outcome = yield* Simulation.run(() => program, { seed: 1 })
      assert.deepStrictEqual(valueOf(outcome), [3_000_000, 3_000_000, 3_000_000])
      assert.strictEqual(Math.floor(outcome.millis), 3_000_000)
      assert.isTrue(outcome.settled)
    })
  )

  it.effect("chance is the seed's, in the program and in its world", () =>
    Effect.gen(function* () {
      const program = (world: Simulation.World) =>
        Effect.map(Effect.all([Random.next, Random.nextInt]), (drawn) => [...drawn, world.random()])
      const draw = (seed: number) => Effect.map(Simulation.run(program, { seed }), valueOf)
      assert.deepStrictEqual(yield* draw(3), yield* draw(3))
      assert.notDeepEqual(yield* draw(3), yield* draw(4))
    })
  )

  it.effect("a program that waits for nothing hangs, and so does one that never comes to an end", () =>
    Effect.gen(function* () {
      const deadlock = yield* Simulation.run(() => Effect.never, { seed: 1 })
      assert.isUndefined(deadlock.exit)
      assert.deepInclude(deadlock, { settled: true, running: 1 })
      assert.isBelow(deadlock.millis, 1)
      const ages = yield* Simulation.run(() => Effect.forever(Effect.sleep("1 second")), { seed: 1 })
      assert.isUndefined(ages.exit)
      assert.isFalse(ages.settled)
      assert.isAtMost(ages.millis, 3_601_000)
      const circles = yield* Simulation.run(() => Effect.forever(Effect.yieldNow), { seed: 1, maxEvents: 1000 })
      assert.isUndefined(circles.exit)
      assert.isFalse(circles.settled)
      assert.isAtMost(circles.steps, 100_000)
    })
  )

  it.effect("a fiber that is interrupted before it begins ends, in whatever order", () =>
    Effect.gen(function* () {
      const interrupted = Effect.gen(function* () {
        const fiber = yield* Effect.forkChild(Effect.andThen(Effect.void, Effect.never))
        yield* Fiber.interrupt(fiber)
        return yield* Fiber.await(fiber)
      })
      for (let seed = 0; seed < 300; seed++) {
        const exit = valueOf(yield* Simulation.run(() => interrupted, { seed }))
        assert.isTrue(Exit.hasInterrupts(exit))
      }
    })
  )

  it.effect("fibers that are left over are counted", () =>
    Effect.gen(function* () {
      const leaking = Effect.forkDetach(Effect.never, { startImmediately: true })
      assert.strictEqual((yield* Simulation.run(() => leaking, { seed: 1 })).running, 1)
      const late = Effect.forkDetach(Effect.sleep("1 minute"), { startImmediately: true })
      const outcome = yield* Simulation.run(() => late, { seed: 1 })
      assert.deepInclude(outcome, { running: 0, settled: true })
      assert.isBelow(outcome.millis, 1)
    })
  )

  it.effect("something is done in front of an operation that is chosen by its number", () =>
    Effect.gen(function* () {
      const program = (step: number) => (world: Simulation.World) =>
        Effect.gen(function* () {
          let seen = 0
          const fiber = yield* Effect.forkChild(Effect.forever(Effect.sync(() => seen++)))
          world.atStep(step, () => fiber.interruptUnsafe())
          const exit = yield* Fiber.await(fiber)
          return { exit, seen, steps: world.steps() }
        })
      const at = (step: number) => Effect.map(Simulation.run(program(step), { seed: 5 }), valueOf)
      const early = yield* at(50)
      assert.isTrue(Exit.hasInterrupts(early.exit))
      assert.isBelow(early.seen, 50)
      assert.isAbove((yield* at(500)).seen, early.seen)
      assert.isAtLeast(early.steps, 50)
    })
  )

  it.effect("what files do wrong happens in it as well", () =>
    Effect.gen(function* () {
      const { Fault, from } = FaultyFiles
      const isWrite = ({ name }: FaultyFiles.Call): boolean => name === "write"
      const kinds = [Fault.Fail({ code: "EIO" }), Fault.Short({ bytes: 0 }), Fault.Delay({ turns: 9 })]
      const results = yield* Effect.forEach(kinds, (fault) =>
        Effect.map(
          Simulation.run((world) => save(world, from(0, fault, isWrite)), { seed: 7 }),
          valueOf
        )
      )
      assert.deepStrictEqual(
        results.map(({ exit, left }) => [Exit.isSuccess(exit), left.length]),
        [
          [false, 0],
          [false, 0],
          [true, 1]
        ]
      )
    })
  )
})
