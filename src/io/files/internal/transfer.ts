import * as Effect from "effect/Effect"
import type { ErrnoError } from "../FileCalls.ts"
import * as FileError from "../FileError.ts"
import type { Extent } from "./positionalFileModel.ts"
import type { CallLimit } from "./callLimit.ts"
import type { Descriptor } from "./descriptor.ts"
import { badBytes, badPosition, isPosition } from "./position.ts"
import { callOf, movedNothing } from "./transferFailure.ts"
import { MAX_CALL_BYTES, type Direction } from "./transferModel.ts"

export { type Direction, MAX_CALL_BYTES } from "./transferModel.ts"

/**
 * A direct read whose length is not a multiple of this has met the end of the file; continuing from there would return
 * EINVAL.
 */
const DIRECT_UNIT = 512

/**
 * Moves all of some extents: every extent is submitted at once, short counts are continued, and the effect ends when no
 * call is with the kernel any longer. The first failure stops everything not yet submitted.
 *
 *     submit ──▶ k of n bytes ──k < n──▶ submit the rest
 *                     │ k = n, or 0, or an error
 *                     ▼
 *                  settled ──all extents settled──▶ resume
 *
 * A class rather than closures, because there is one instance per batch and one callback per extent.
 */
class Transfer {
  readonly #descriptor: Descriptor
  readonly #direction: Direction
  readonly #resume: (effect: Effect.Effect<void, FileError.FileError>) => void
  readonly #extents: ReadonlyArray<Extent>
  readonly #limit: CallLimit | undefined
  #pending: number
  #failure: FileError.FileError | undefined = undefined

  constructor(
    descriptor: Descriptor,
    direction: Direction,
    extents: ReadonlyArray<Extent>,
    resume: (effect: Effect.Effect<void, FileError.FileError>) => void
  ) {
    this.#descriptor = descriptor
    this.#direction = direction
    this.#limit = direction === "write" ? descriptor.writes : undefined
    this.#pending = extents.length
    this.#extents = extents
    this.#resume = resume
  }

  start(): void {
    for (const extent of this.#extents) this.#submit(extent, 0)
  }

  #submit(extent: Extent, done: number): void {
    const { bytes, position } = extent
    const length = Math.min(bytes.length - done, MAX_CALL_BYTES)
    if (length === 0 || this.#failure !== undefined) return this.#answer()
    if (!isPosition(position) || !isPosition(position + bytes.length)) {
      return this.#fail(badPosition(this.#call(extent)))
    }
    if (this.#limit === undefined) return this.#begin(extent, done, length)
    this.#limit.enter(() => this.#begin(extent, done, length))
  }

  #begin(extent: Extent, done: number, length: number): void {
    const { calls, fd } = this.#descriptor
    if (this.#failure !== undefined) return this.#returned(extent, done, null, 0)
    calls[this.#direction](fd, extent.bytes, done, length, extent.position + done, (error, count) =>
      this.#returned(extent, done, error, count)
    )
  }

  /** Continues when the result of a call is known: once a part of a transfer has failed, nothing new starts. */
  #returned(extent: Extent, done: number, error: ErrnoError | null, count: number): void {
    this.#took(extent, done, error, count)
    this.#limit?.leave()
  }

  #took(extent: Extent, done: number, error: ErrnoError | null, count: number): void {
    if (this.#failure !== undefined) return this.#answer()
    if (error) {
      if (error.code === "EINTR") return this.#submit(extent, done)
      return this.#fail(FileError.fromCause(this.#call(extent), error))
    }
    if (count === 0) return this.#fail(movedNothing(this.#call(extent), done))
    if (this.#endsDirectRead(extent, done + count)) return this.#fail(movedNothing(this.#call(extent), done + count))
    this.#submit(extent, done + count)
  }

  #endsDirectRead(extent: Extent, done: number): boolean {
    const reading = this.#descriptor.directIo && this.#direction === "read"
    return reading && done < extent.bytes.length && done % DIRECT_UNIT !== 0
  }

  #call(extent: Extent): FileError.Call {
    return callOf(this.#descriptor.path, this.#direction, extent)
  }

  #fail(error: FileError.FileError): void {
    this.#failure ??= error
    this.#answer()
  }

  #answer(): void {
    if (--this.#pending > 0) return
    this.#descriptor.leave()
    this.#resume(this.#failure === undefined ? Effect.void : Effect.fail(this.#failure))
  }
}

/** If no call can take the memory of one extent, none of the extents is moved. */
const wrongBytes = (
  { path }: Descriptor,
  operation: Direction,
  extents: ReadonlyArray<Extent>
): FileError.FileError | undefined => {
  for (const { bytes, position } of extents) {
    const error = badBytes({ operation, path, position }, bytes)
    if (error !== undefined) return error
  }
  return undefined
}

/** @internal */
export const transfer = (
  descriptor: Descriptor,
  direction: Direction,
  extents: ReadonlyArray<Extent>
): Effect.Effect<void, FileError.FileError> =>
  extents.length === 0
    ? Effect.void
    : Effect.uninterruptible(
        Effect.callback<void, FileError.FileError>((resume) => {
          const refusal =
            wrongBytes(descriptor, direction, extents) ??
            descriptor.enter({ operation: direction, path: descriptor.path })
          if (refusal !== undefined) return resume(Effect.fail(refusal))
          if (direction === "write") descriptor.unsynced = true
          const { mover } = descriptor
          if (mover?.takes(extents) !== true) return new Transfer(descriptor, direction, extents, resume).start()
          mover.move(direction, extents, (failure) => {
            descriptor.leave()
            resume(failure === undefined ? Effect.void : Effect.fail(failure))
          })
        })
      )
