import type { InThread } from "../FileCalls.ts"
import * as FileError from "../FileError.ts"
import type { Extent } from "./positionalFileModel.ts"
import { badPosition, isPosition } from "./position.ts"
import { type Direction, MAX_CALL_BYTES } from "./transferModel.ts"
import { callOf, movedNothing } from "./transferFailure.ts"

/**
 * Below this speed (and beyond some time that any call may take), bytes have waited for something: swap, or a host's
 * memory.
 */
const QUICK_BYTES_PER_MILLISECOND = 1_500_000
const ANY_CALL_MILLISECONDS = 0.25

/** Bytes that go another way after a slow call, before the next try. */
const RESTING_BYTES = 4 * 1024 * 1024

/** Longest time that the event loop may wait for consecutive moves. */
const TURN_MILLISECONDS = 2

const total = (extents: ReadonlyArray<Extent>): number => extents.reduce((sum, { bytes }) => sum + bytes.length, 0)

/**
 * Moves bytes of one file in the calling thread, as long as that is quick: the event loop is blocked during a move.
 *
 * @internal
 */
export class ThreadMover {
  readonly #inThread: InThread
  readonly #fd: number
  readonly #path: string
  readonly #now: () => number
  #resting = 0
  #sinceTurn = 0

  /** `now` returns milliseconds. */
  constructor(options: {
    readonly inThread: InThread
    readonly fd: number
    readonly path: string
    readonly now?: () => number
  }) {
    this.#inThread = options.inThread
    this.#fd = options.fd
    this.#path = options.path
    this.#now = options.now ?? (() => performance.now())
  }

  /** `true` if these extents are to be moved here; otherwise they must go another way. */
  takes(extents: ReadonlyArray<Extent>): boolean {
    if (this.#resting <= 0) return true
    this.#resting -= total(extents)
    return false
  }

  /**
   * Moves the extents one after another up to the first failure, and reports it; later, if the event loop must get a
   * turn first.
   */
  move(
    direction: Direction,
    extents: ReadonlyArray<Extent>,
    done: (failure: FileError.FileError | undefined) => void
  ): void {
    const begin = this.#now()
    const failure = this.#moveAll(direction, extents)
    const milliseconds = this.#now() - begin
    const quick = ANY_CALL_MILLISECONDS + total(extents) / QUICK_BYTES_PER_MILLISECOND
    if (milliseconds > quick) this.#resting = RESTING_BYTES
    this.#sinceTurn += milliseconds
    if (this.#sinceTurn < TURN_MILLISECONDS) return done(failure)
    this.#sinceTurn = 0
    setImmediate(done, failure)
  }

  #moveAll(direction: Direction, extents: ReadonlyArray<Extent>): FileError.FileError | undefined {
    for (const extent of extents) {
      const failure = this.#moveOne(direction, extent)
      if (failure !== undefined) return failure
    }
    return undefined
  }

  #moveOne(direction: Direction, extent: Extent): FileError.FileError | undefined {
    const { bytes, position } = extent
    for (let done = 0; done < bytes.length;) {
      if (!isPosition(position) || !isPosition(position + bytes.length)) {
        return badPosition(callOf(this.#path, direction, extent))
      }
      const length = Math.min(bytes.length - done, MAX_CALL_BYTES)
      try {
        const count = this.#inThread[direction](this.#fd, bytes, done, length, position + done)
        if (count === 0) return movedNothing(callOf(this.#path, direction, extent), done)
        done += count
      } catch (cause) {
        if (!isInterrupted(cause)) return FileError.fromCause(callOf(this.#path, direction, extent), cause)
      }
    }
    return undefined
  }
}

const isInterrupted = (cause: unknown): boolean => cause instanceof Error && "code" in cause && cause.code === "EINTR"
