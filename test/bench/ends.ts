/**
 * The two ends of a migration, and the ways to put them together.
 */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { Method } from "../../src/compression/Compression.ts"
import type { Variant } from "./variant.ts"
import type { BenchError } from "./worker.ts"

/** What both ends agree on. */
export interface Agreement {
  readonly channels: number
  readonly compression: Method
}

/** Where a migration comes from: prepared for who listens at a URI, it waits to be told to begin. */
export type Source = (uri: string) => Effect.Effect<Effect.Effect<unknown, BenchError>, BenchError, Scope.Scope>

/** Who listens. */
export interface Destination {
  readonly uri: string
  /** Waits until everything has arrived. */
  readonly done: Effect.Effect<unknown, BenchError>
}

/** Where a migration goes to. */
export interface Target {
  readonly listen: Effect.Effect<Destination, BenchError, Scope.Scope>
  /** Fails unless the right bytes have arrived. */
  readonly check: Effect.Effect<void, BenchError>
}

export const QEMU_TO_QEMU = "QEMU to QEMU"
export const QEMU_TO_OURS = "QEMU to effect-multifd"
export const OURS_TO_QEMU = "effect-multifd to QEMU"
export const OURS_TO_OURS = "effect-multifd to effect-multifd"

/** A migration from one end to the other, timed from the first command until both are done. */
export const variant = (name: string, of: Variant["of"], source: Source, target: Target): Variant => ({
  name,
  of,
  prepare: Effect.gen(function* () {
    const { done, uri } = yield* target.listen
    const send = yield* source(uri)
    return (check) =>
      Effect.gen(function* () {
        const begin = performance.now()
        yield* Effect.all([send, done], { concurrency: 2, discard: true })
        const total = performance.now() - begin
        if (check) yield* target.check
        return { total, phases: {} }
      })
  })
})
