/**
 * One way of doing the work, and the medians of many ways that take turns.
 */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { BenchError, Reply } from "./worker.ts"

/** Does the work once; `check` compares the bytes afterwards and fails when they are wrong. */
export type Go = (check: boolean) => Effect.Effect<Reply, BenchError>

/** One way of doing the work. */
export interface Variant {
  readonly name: string
  /** Whose work it is. The best of QEMU's variants, as of the machine's limits, is what the project is compared with. */
  readonly of: "limit" | "qemu" | "ours"
  /** Prepares everything that is not timed. */
  readonly prepare: Effect.Effect<Go, BenchError, Scope.Scope>
}

/** What the rounds gave. Times in milliseconds. */
export interface Measured {
  readonly variant: Variant
  readonly median: number
  readonly fastest: number
  readonly slowest: number
  /** The median of the processors' milliseconds, where that is known. */
  readonly cpu: number | undefined
  /** The longest that the event loop stood still, where that is known: the median. */
  readonly stall: number | undefined
  /** The median of each phase. */
  readonly phases: Readonly<Record<string, number>>
}

const quantile = (numbers: ReadonlyArray<number>, part: number): number => {
  const sorted = numbers.toSorted((a, b) => a - b)
  const place = part * (sorted.length - 1)
  return (sorted[Math.floor(place)]! + sorted[Math.ceil(place)]!) / 2
}

/** The median of numbers. */
export const median = (numbers: ReadonlyArray<number>): number => quantile(numbers, 1 / 2)

/** A quarter of the numbers are less. */
export const lowerQuartile = (numbers: ReadonlyArray<number>): number => quantile(numbers, 1 / 4)

const medianOf = (numbers: ReadonlyArray<number | undefined>): number | undefined => {
  const known = numbers.filter((number) => number !== undefined)
  return known.length === 0 ? undefined : median(known)
}

const summary = (variant: Variant, replies: ReadonlyArray<Reply>): Measured => {
  const totals = replies.map(({ total }) => total)
  const names = Object.keys(replies[0]!.phases)
  return {
    variant,
    median: median(totals),
    fastest: Math.min(...totals),
    slowest: Math.max(...totals),
    cpu: medianOf(replies.map(({ cpu }) => cpu)),
    stall: medianOf(replies.map(({ delay }) => delay?.max)),
    phases: Object.fromEntries(names.map((name) => [name, median(replies.map(({ phases }) => phases[name]!))]))
  }
}

/**
 * Runs every variant once to check its bytes, and then in turn for some rounds, each round beginning with another one.
 * `settle` runs right before each that is timed: it brings the machine into the same state.
 */
export const measure = (
  variants: ReadonlyArray<Variant>,
  options: { readonly rounds: number; readonly settle: Effect.Effect<void, BenchError> }
): Effect.Effect<ReadonlyArray<Measured>, BenchError> => {
  const once = (variant: Variant, check: boolean): Effect.Effect<Reply, BenchError> =>
    Effect.scoped(
      Effect.flatMap(variant.prepare, (go) => Effect.andThen(check ? Effect.void : options.settle, go(check)))
    )
  return Effect.gen(function* () {
    const replies = new Map(variants.map((variant) => [variant, [] as Array<Reply>]))
    for (const variant of variants) yield* once(variant, true)
    for (let round = 0; round < options.rounds; round++)
      for (let turn = 0; turn < variants.length; turn++) {
        const variant = variants[(round + turn) % variants.length]!
        replies.get(variant)!.push(yield* once(variant, false))
      }
    return variants.map((variant) => summary(variant, replies.get(variant)!))
  })
}
