import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { CompressionMethod } from "../Compression.ts"
import { type CompressionError, CompressorClosedError, CompressorFailedError } from "../CompressionError.ts"
import { libraryCode } from "./problems.ts"
import { makeNativeStream, type Native, type NativeStream } from "./nativeStream.ts"

/**
 * The work of one packet: independent pieces, numbered from 0.
 *
 * @internal
 */
export interface Task {
  readonly pieces: number
  readonly input: (piece: number) => Uint8Array
  /** Takes a part of the output of a piece. `false` means too much output; `checkOutput` must fail then. */
  readonly output: (piece: number, bytes: Uint8Array) => boolean
  /**
   * Checks the complete output of a piece and returns the problem, if there is one. `error` is the error from the
   * library.
   */
  readonly checkOutput: (
    piece: number,
    error: NodeJS.ErrnoException | null,
    consumed: number
  ) => CompressionError | undefined
}

/**
 * Parallel streams that share the pieces of a task.
 *
 * @internal
 */
export interface CodecStreams {
  /** Does all pieces of a task. The first failure, like interruption, ends it and closes the streams permanently. */
  readonly run: (task: Task) => Effect.Effect<void, CompressionError>
  /** Fails for a reason found before the task existed, and closes the streams permanently. */
  readonly fail: (failure: CompressionError) => Effect.Effect<never, CompressionError>
}

/**
 * The source of a method's streams.
 *
 * @internal
 */
export interface Source<S extends Native> {
  readonly method: CompressionMethod
  readonly open: () => S
  /**
   * `true` if the output is no longer needed when `output` returns, so that its memory can be reused. Default false.
   */
  readonly reuse?: boolean | undefined
  /** Prepares a stream for the next piece, if each piece is complete in itself. */
  readonly reset?: ((native: S) => void) | undefined
}

/**
 * Opens `count` streams, the number of pieces in progress at once. Leaving the scope waits for the pieces in progress
 * and frees the streams.
 *
 * @internal
 */
export const makeCodecStreams = <S extends Native>(
  source: Source<S>,
  count: number
): Effect.Effect<CodecStreams, CompressorFailedError, Scope.Scope> =>
  Effect.map(Effect.acquireRelease(openAll(source, count), closeAll), (streams) => ({
    run: (task) => runOn(streams, task, source),
    fail: (failure) => failOn(streams, failure)
  }))

/** The streams and their state. */
interface Streams<S extends Native> {
  readonly all: Array<NativeStream<S>>
  state: "idle" | "busy" | "closed"
}

const openAll = <S extends Native>(
  { method, open, reuse = false }: Source<S>,
  count: number
): Effect.Effect<Streams<S>, CompressorFailedError> =>
  Effect.suspend(() => {
    const streams: Streams<S> = { all: [], state: "idle" }
    const openOne = Effect.try({
      try: () => streams.all.push(makeNativeStream(open(), { reuse })),
      catch: (cause) => new CompressorFailedError({ method, code: libraryCode(cause), cause })
    })
    return Effect.replicateEffect(openOne, count, { discard: true }).pipe(
      Effect.as(streams),
      Effect.onError(() => closeAll(streams))
    )
  })

const closeAll = <S extends Native>(streams: Streams<S>): Effect.Effect<void> =>
  Effect.callback<void>((resume) => {
    streams.state = "closed"
    let open = 1
    const closed = () => {
      if (--open === 0) resume(Effect.void)
    }
    for (const stream of streams.all) {
      open++
      stream.close(closed)
    }
    closed()
  })

const runOn = <S extends Native>(
  streams: Streams<S>,
  task: Task,
  { method, reset }: Source<S>
): Effect.Effect<void, CompressionError> =>
  Effect.suspend(() => {
    if (streams.state === "closed") return Effect.fail(new CompressorClosedError({ method }))
    if (streams.state === "busy") return Effect.die(new Error(`${method}: one call at a time`))
    streams.state = "busy"
    return Effect.callback<void, CompressionError>((resume) => {
      pump(streams, task, reset, (failure) => {
        if (failure !== undefined) return resume(Effect.andThen(closeAll(streams), Effect.fail(failure)))
        if (streams.state === "closed") return resume(Effect.fail(new CompressorClosedError({ method })))
        streams.state = "idle"
        resume(Effect.void)
      })
      return closeAll(streams)
    })
  })

const failOn = <S extends Native>(
  streams: Streams<S>,
  failure: CompressionError
): Effect.Effect<never, CompressionError> =>
  Effect.suspend(() => {
    const { method } = failure
    const error = streams.state === "closed" ? new CompressorClosedError({ method }) : failure
    return Effect.andThen(closeAll(streams), Effect.fail(error))
  })

/** Each stream takes the next piece when it has finished one, until none is left or one has failed. */
const pump = <S extends Native>(
  streams: Streams<S>,
  task: Task,
  reset: ((native: S) => void) | undefined,
  done: (failure: CompressionError | undefined) => void
): void => {
  let failure: CompressionError | undefined
  let following = 0
  let working = streams.all.length
  const next = (stream: NativeStream<S>): void => {
    if (streams.state === "closed" || failure !== undefined || following === task.pieces) {
      if (--working === 0) done(failure)
      return
    }
    const piece = following++
    stream.feed(
      task.input(piece),
      (bytes) => task.output(piece, bytes),
      (error, consumed) => {
        failure ??= task.checkOutput(piece, error, consumed)
        if (failure === undefined && streams.state !== "closed") reset?.(stream.native)
        next(stream)
      }
    )
  }
  streams.all.forEach(next)
}
