/**
 * A limit on the bytes per second of a whole migration, QEMU's `max-bandwidth`.
 *
 * ```text
 *                the limit flows in, all the time
 *                    │
 *                    ▼
 *              ┌──────────┐   what does not fit is lost
 *              │  bucket  │   room for 1/10 of a second's limit
 *              └────┬─────┘
 *                   ▼
 *              ┌──────────┐
 *              │  second  │   what has passed in the last one: never more than the limit
 *              └────┬─────┘
 *                   ▼
 *   take, take, take …       first come, first served; each waits until both let it pass
 * ```
 *
 * The bucket evens out the flow, and compensates for timers and an event loop that are up to 100 ms late. The second
 * bound keeps the accumulated bytes from exceeding the limit in any one second. QEMU counts in windows of 100 ms, each
 * started anew, so that eleven of them touch one second and may use a tenth more. Any 100 ms pass at most a fifth of a
 * second's limit, as with QEMU. Under constant demand, throughput is the limit minus what the current waiter has
 * accumulated.
 *
 * @since 0.1.0
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Latch from "effect/Latch"
import * as Semaphore from "effect/Semaphore"
import type { Extent } from "../io/files/PositionalFile.ts"
import * as LastSecond from "./internal/lastSecond.ts"
import * as MonotonicTime from "./MonotonicTime.ts"

/**
 * Shared by all writers of one migration: all of its channels, and its main channel.
 *
 * @stability stable
 * @category models
 * @since 0.1.0
 */
export interface RateLimit {
  /**
   * Waits until `bytes` bytes may be written. The limit holds for takes of at most `piece()` bytes. A larger one than
   * the bucket passes as a whole when the bucket is full, and all later takes wait until it is paid for. Interruption
   * takes nothing.
   */
  readonly take: (bytes: number) => Effect.Effect<void>
  /** Most bytes to take at once: 1/40 of a second's limit, at least 1; `Infinity` without a limit. */
  readonly piece: () => number
  /** The limit in bytes per second; 0 means unlimited. */
  readonly bytesPerSecond: () => number
  /** Changes the limit, for current waiters as well. */
  readonly set: (bytesPerSecond: number) => Effect.Effect<void>
}

/**
 * Milliseconds' worth of the limit that accumulate without takes, or with takes on time. A larger value makes the flow
 * less even.
 */
const CAPACITY = 100

/**
 * Milliseconds' worth of the limit: a part of the bucket, so that the rest accumulates while a timer or the event loop
 * is late.
 */
const PIECE = CAPACITY / 4

/**
 * Makes a limit in bytes per second. 0 (the default) and anything that is not a positive number mean unlimited.
 *
 * **Example** (Changing the limit during a save)
 *
 * ```ts
 * import * as Effect from "effect/Effect"
 * import { RateLimit } from "effect-multifd"
 *
 * export const program = Effect.gen(function* () {
 *   const limit = yield* RateLimit.make(100 * 1024 * 1024)
 *   yield* limit.take(limit.piece())
 *   yield* limit.set(0)
 * })
 * ```
 *
 * @stability stable
 * @category constructors
 * @since 0.1.0
 */
export const make = (bytesPerSecond: number = 0): Effect.Effect<RateLimit> =>
  Clock.clockWith((clock) =>
    Effect.sync(() => {
      const turn = Semaphore.makeUnsafe(1)
      const changed = Latch.makeUnsafe()
      const began = clock.monotonicTimeNanosUnsafe()
      // Both are milliseconds' worth of the limit, so they stay valid when the limit changes.
      const lastSecond = LastSecond.make()
      let level = 0
      let limit = limitOf(bytesPerSecond)
      let filledAt = 0

      const fill = (): void => {
        const now = MonotonicTime.millisOf(clock.monotonicTimeNanosUnsafe() - began)
        level = Math.min(level + now - filledAt, CAPACITY)
        filledAt = now
      }
      const pour = (bytes: number): Effect.Effect<void> =>
        Effect.suspend(() => {
          if (limit === 0) return Effect.void
          fill()
          const worth = (bytes * 1000) / limit
          const needed = Math.min(worth, CAPACITY)
          const millis = Math.max(Math.ceil(needed - level), lastSecond.wait(filledAt, needed))
          if (millis > 0) return Effect.andThen(Effect.raceFirst(Effect.sleep(millis), changed.await), pour(bytes))
          level -= worth
          lastSecond.add(filledAt, worth)
          return Effect.void
        })
      return {
        take: (bytes) => Effect.suspend(() => (limit === 0 ? Effect.void : turn.withPermit(pour(bytes)))),
        piece: () => (limit === 0 ? Infinity : Math.max(1, Math.floor((limit * PIECE) / 1000))),
        bytesPerSecond: () => limit,
        set: (bytesPerSecond) =>
          Effect.suspend(() => {
            fill()
            const before = limit
            limit = limitOf(bytesPerSecond)
            if (limit === 0) {
              level = 0
              lastSecond.clear()
            } else if (level < 0) {
              // Bytes taken in advance stay the same number of bytes, which a higher limit pays for sooner.
              level *= before / limit
            }
            return changed.release
          })
      }
    })
  )

/**
 * Returns the limit itself, or makes one from bytes per second.
 *
 * @stability stable
 * @category constructors
 * @since 0.1.0
 */
export const of = (limit: number | RateLimit | undefined): Effect.Effect<RateLimit> =>
  typeof limit === "object" ? Effect.succeed(limit) : make(limit)

const limitOf = (bytesPerSecond: number): number =>
  bytesPerSecond > 0 && bytesPerSecond < Infinity ? bytesPerSecond : 0

/**
 * Writes `parts` in order, as many bytes per call as the limit allows; without a limit, all of them in one call.
 *
 * @stability stable
 * @category running
 * @since 0.1.0
 */
export const writeParts = <E, R>(
  self: RateLimit,
  parts: ReadonlyArray<Uint8Array>,
  write: (parts: ReadonlyArray<Uint8Array>) => Effect.Effect<void, E, R>
): Effect.Effect<void, E, R> => pace(self, bytes, parts, write)

/**
 * Writes `extents` of a file, as many bytes per call as the limit allows; without a limit, all of them in one call.
 * They are cut only at multiples of 4096 bytes, so that direct I/O keeps working: below 160 KiB per second the limit is
 * exceeded by up to 4096 bytes.
 *
 * @stability stable
 * @category running
 * @since 0.1.0
 */
export const writeExtents = <E, R>(
  self: RateLimit,
  extents: ReadonlyArray<Extent>,
  write: (extents: ReadonlyArray<Extent>) => Effect.Effect<void, E, R>
): Effect.Effect<void, E, R> => pace(self, ofFile, extents, write)

/** Data that can be written in pieces. */
interface Sort<A> {
  readonly length: (item: A) => number
  /** Pieces are multiples of this, except the last one of an item. */
  readonly unit: number
  readonly slice: (item: A, from: number, to: number) => A
}

const bytes: Sort<Uint8Array> = {
  length: (part) => part.length,
  unit: 1,
  slice: (part, from, to) => part.subarray(from, to)
}

const ofFile: Sort<Extent> = {
  length: (extent) => extent.bytes.length,
  unit: 4096,
  slice: ({ bytes, position }, from, to) => ({ position: position + from, bytes: bytes.subarray(from, to) })
}

const pace = Effect.fnUntraced(function* <A, E, R>(
  self: RateLimit,
  sort: Sort<A>,
  items: ReadonlyArray<A>,
  write: (items: ReadonlyArray<A>) => Effect.Effect<void, E, R>
): Effect.fn.Return<void, E, R> {
  let rest = items
  while (rest.length > 0) {
    const piece = self.piece()
    const [now, later] = piece === Infinity ? [rest, []] : cut(sort, rest, piece)
    yield* self.take(now.reduce((sum, item) => sum + sort.length(item), 0))
    yield* write(now)
    rest = later
  }
})

/** The first `atMost` bytes, rounded down to whole units but at least one, and the rest. */
const cut = <A>(
  sort: Sort<A>,
  items: ReadonlyArray<A>,
  atMost: number
): readonly [now: ReadonlyArray<A>, later: ReadonlyArray<A>] => {
  let room = Math.max(sort.unit, atMost - (atMost % sort.unit))
  for (const [index, item] of items.entries()) {
    const length = sort.length(item)
    if (length <= room) {
      room -= length
      continue
    }
    const at = room - (room % sort.unit)
    if (at === 0) return [items.slice(0, index), items.slice(index)]
    return [
      [...items.slice(0, index), sort.slice(item, 0, at)],
      [sort.slice(item, at, length), ...items.slice(index + 1)]
    ]
  }
  return [items, []]
}
