/**
 * Runs a program in an isolated world in which one number decides everything: the order of fibers, the points at which
 * they yield, the latency of disk and network, and the passing of time. The same seed gives the same run, operation by
 * operation; another one gives another interleaving.
 *
 * ```text
 *   fibers ──── Scheduler ───┐                     ┌──── the seed: what is earlier among what happens at the same time,
 *   sleeps ──── Clock ───────┼──► agenda ──► next ─┤      how long an answer takes, where a fiber gives way
 *   disk, network ── later ──┘    (virtual time)   └──── it runs; time jumps to where it is
 * ```
 *
 * There is no real waiting: an hour of sleep takes no longer than the work done in it. A program that stops with no
 * event left is a deadlock, and is detected at once.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import { World as Inner } from "./internal/world.ts"

/**
 * Runs a function some time after the call: in another turn of Node's event loop, or in a simulation at another moment
 * of its time.
 *
 * @stability unstable
 * @category models
 * @since 0.1.0
 */
export type Later = (run: () => void) => void

/**
 * The world of one program.
 *
 * @stability unstable
 * @category models
 * @since 0.1.0
 */
export interface World {
  readonly seed: number
  /**
   * The timing of this world's disk and network: pass it to `MemoryDisk`, `VirtualNetwork`, `FaultyFiles` and
   * `FaultyNetwork`. Most answers take up to 50 µs, some up to 5 ms.
   */
  readonly later: Later
  /** A number in [0, 1), for the program's own choices: shapes, faults and their places. */
  readonly random: () => number
  /** Milliseconds since the start. */
  readonly now: () => number
  /** Operations that all fibers together have evaluated so far. */
  readonly steps: () => number
  /** Calls `act` before the `step`-th operation, from 1, of any fiber. */
  readonly atStep: (step: number, act: () => void) => void
}

/**
 * Options of a simulation.
 *
 * @stability unstable
 * @category models
 * @since 0.1.0
 */
export interface Options {
  /** A whole number below 2^32. */
  readonly seed: number
  /** Virtual time after which the program counts as hung. Default 1 hour. */
  readonly maxDuration?: Duration.Input | undefined
  /** Events after which the program counts as an endless loop. Default 2 million, some seconds of real time. */
  readonly maxEvents?: number | undefined
}

/**
 * The outcome of a program.
 *
 * @stability unstable
 * @category models
 * @since 0.1.0
 */
export interface Outcome<out A, out E> {
  /** `undefined`: the program hangs. No event was left, or a limit was reached. */
  readonly exit: Exit.Exit<A, E> | undefined
  /** Fibers still running when all work that outlived the program has ended: 0 if nothing leaks. */
  readonly running: number
  /** `true` if the work that outlived the program ended within the limits. */
  readonly settled: boolean
  /** Virtual milliseconds to the program's end. */
  readonly millis: number
  /** Operations that fibers have evaluated. */
  readonly steps: number
  /** Represents all events with their order and time: equal for equal runs. */
  readonly digest: string
}

/** An hour: longer than any timeout of a real program. */
const defaultDuration: Duration.Input = "1 hour"
const defaultEvents = 2_000_000

/**
 * Runs a program to its end, and then any remaining work to its own.
 *
 * **Details**
 *
 * The program gets a `Clock`, a `Random` and a `Scheduler` of its world, and everything else from its surroundings. It
 * must not wait for anything outside, such as Node's own files, sockets, timers, promises or thread pool (compression):
 * that never comes, and looks like a hang. The whole simulation runs within one turn of Node's event loop.
 *
 * **Example** (A save with every order of events decided by a number)
 *
 * ```ts
 * import * as Effect from "effect/Effect"
 * import { MemoryPages, Migration } from "effect-multifd"
 * import { MemoryDisk, Simulation } from "effect-multifd/testing"
 *
 * export const saved = (seed: number) =>
 *   Simulation.run(
 *     (world) => {
 *       const disk = MemoryDisk.make({ seed, later: world.later })
 *       return Effect.gen(function* () {
 *         const ram = yield* MemoryPages.make({ idstr: "ram", memory: new Uint8Array(65_536).fill(1) })
 *         yield* Migration.make.save({ target: "/vm.img", blocks: [ram] })
 *         return disk.files()
 *       }).pipe(Effect.provide(disk.layer))
 *     },
 *     { seed }
 *   )
 * ```
 *
 * @stability unstable
 * @category running
 * @since 0.1.0
 */
export const run = <A, E, R>(
  program: (world: World) => Effect.Effect<A, E, R>,
  options: Options
): Effect.Effect<Outcome<A, E>, never, R> =>
  Effect.contextWith((around: Context.Context<R>) =>
    Effect.sync(() => {
      const { maxEvents = defaultEvents, seed } = options
      const maxMillis = Duration.toMillis(Duration.fromInputUnsafe(options.maxDuration ?? defaultDuration))
      const inner = new Inner(seed)
      const world: World = {
        seed,
        later: (run) => inner.later(run),
        random: inner.random,
        now: () => inner.now,
        steps: () => inner.steps,
        atStep: (step, act) => inner.atStep(step, act)
      }
      const isWithin = (): boolean => inner.now <= maxMillis && inner.events < maxEvents
      const step = (): boolean => isWithin() && inner.step()
      const fiber: Fiber.Fiber<A, E> = Effect.runForkWith(Context.merge(around, inner.context))(
        Effect.suspend(() => program(world))
      )
      while (fiber.pollUnsafe() === undefined && step());
      const exit = fiber.pollUnsafe()
      const millis = inner.now
      while (step());
      return {
        exit,
        running: inner.running,
        settled: isWithin(),
        millis,
        steps: inner.steps,
        digest: inner.digest
      }
    })
  )
