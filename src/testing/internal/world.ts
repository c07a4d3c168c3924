import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import type * as Fiber from "effect/Fiber"
import * as Random from "effect/Random"
import * as Scheduler from "effect/Scheduler"
import * as Invariant from "../../ram/Invariant.ts"
import { Agenda } from "./agenda.ts"
import { randomFrom } from "./random.ts"
import { SeededScheduler } from "./seededScheduler.ts"
import { virtualClock } from "./virtualClock.ts"

/** One answer in this many from the outside world is slow. */
const SLOW_IN = 16
const QUICK_MILLIS = 0.05
const SLOW_MILLIS = 5

/** A turn of a fiber takes up to 2 µs, so that time passes for a fiber that only polls. */
const TURN_MILLIS = 0.002

/** The seed chooses one of these rates: a fiber yields before every n-th operation. */
const preemptions = [Number.POSITIVE_INFINITY, 512, 64, 8]

const FNV_PRIME = 0x01000193
const FNV_OFFSET = 0x811c9dc5

/** Two parallel FNV-1a hashes over all events. */
class Digest {
  #one = FNV_OFFSET
  #other = 0

  add(value: number): void {
    this.#one = Math.imul(this.#one ^ value, FNV_PRIME)
    this.#other = Math.imul(this.#other ^ (value + 1), FNV_PRIME) ^ (this.#other >>> 15)
  }

  toString(): string {
    return [this.#one, this.#other].map((half) => (half >>> 0).toString(16).padStart(8, "0")).join("")
  }
}

/**
 * All pending events in virtual time, in an order that a seed selects.
 *
 * @internal
 */
export class World {
  readonly #agenda = new Agenda()
  readonly #digest = new Digest()
  readonly #acts = new Map<number, Array<() => void>>()
  readonly #fibers = new Set<Fiber.Fiber<unknown, unknown>>()
  readonly #order: () => number
  readonly #latency: () => number
  readonly #preemption: () => number
  readonly #odds: number
  #appointments = 0
  #now = 0
  #events = 0
  #steps = 0

  /** The context of the program. */
  readonly context: Context.Context<never>
  readonly random: () => number

  constructor(seed: number) {
    // Separate streams: the draws of one part of a program do not affect the others.
    const seeds = randomFrom(seed)
    const stream = (): (() => number) => randomFrom(Math.floor(seeds() * 2 ** 32))
    this.random = stream()
    this.#order = stream()
    this.#latency = stream()
    this.#preemption = stream()
    this.#odds = Invariant.defined(preemptions[Math.floor(seeds() * preemptions.length)], "a seed is less than 1")
    const own = stream()
    this.context = Context.empty().pipe(
      Context.add(
        Clock.Clock,
        virtualClock({ now: () => this.#now, after: (millis, run) => this.#after(millis, run) })
      ),
      Context.add(Random.Random, {
        nextIntUnsafe: () => Math.floor((own() - 0.5) * 2 ** 53),
        nextDoubleUnsafe: own
      }),
      Context.add(
        Scheduler.Scheduler,
        new SeededScheduler({
          schedule: (task, priority) => this.#add(this.#now + this.#order() * TURN_MILLIS, priority, task),
          atOperation: (fiber) => this.#atOperation(fiber)
        })
      )
    )
  }

  get now(): number {
    return this.#now
  }

  get events(): number {
    return this.#events
  }

  get steps(): number {
    return this.#steps
  }

  get digest(): string {
    return this.#digest.toString()
  }

  /** Fibers that were seen and have not ended. */
  get running(): number {
    return [...this.#fibers].filter((fiber) => fiber.pollUnsafe() === undefined).length
  }

  atStep(step: number, act: () => void): void {
    this.#acts.set(step, [...(this.#acts.get(step) ?? []), act])
  }

  /** An answer of the outside world. */
  later(run: () => void): void {
    const slow = this.#latency() * SLOW_IN < 1
    this.#add(this.#now + this.#latency() * (slow ? SLOW_MILLIS : QUICK_MILLIS), 0, run)
  }

  /** Runs the next event; `false` if there is none. */
  step(): boolean {
    const next = this.#agenda.next()
    if (next === undefined) return false
    this.#now = next.time
    this.#events++
    this.#digest.add(next.id)
    this.#digest.add(Math.round(next.time * 1000))
    next.run()
    return true
  }

  #add(time: number, priority: number, run: () => void): void {
    this.#agenda.add({ time, rank: priority + this.#order(), id: this.#appointments++, run })
  }

  #after(millis: number, run: () => void): () => void {
    let wanted = true
    this.#add(this.#now + millis, 0, () => {
      if (wanted) run()
    })
    return () => {
      wanted = false
    }
  }

  #atOperation(fiber: Fiber.Fiber<unknown, unknown>): boolean {
    this.#steps++
    this.#fibers.add(fiber)
    const acts = this.#acts.get(this.#steps)
    if (acts !== undefined) for (const act of acts) act()
    return this.#preemption() * this.#odds < 1
  }
}
