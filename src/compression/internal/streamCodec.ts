import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { CompressionMethod, Compressor, Decompressor } from "../Compression.ts"
import { type CompressorFailedError, PayloadError } from "../CompressionError.ts"
import { Filling } from "./filling.ts"
import { makeCodecStreams, type Source } from "./codecStreams.ts"
import { gather, makeMemory } from "./memory.ts"
import type { Native } from "./nativeStream.ts"
import { twicePages } from "./payloadBound.ts"
import { check, failed } from "./problems.ts"

/**
 * Bytes that the library writes before it returns to the event loop for more memory: a whole packet, compressed or not,
 * and some spare, because a packet that fills it exactly would need another call. Each call is one more hop to another
 * thread: Node's default of 16 KiB takes away a third of zstd's speed.
 *
 * @internal
 */
export const chunkSize = 512 * 1024 + 4096

/**
 * The sending end of a method that is one stream for the whole migration. The stream must flush after each write: a
 * packet is one write, one job for the thread pool, one flush.
 *
 * @internal
 */
export const makeStreamCompressor = <S extends Native>(
  source: Source<S>
): Effect.Effect<Compressor, CompressorFailedError, Scope.Scope> =>
  Effect.map(makeCodecStreams({ ...source, reuse: true }, 1), (streams): Compressor => {
    const { method } = source
    const gathered = makeMemory()
    let [memory, other] = [makeMemory(), makeMemory()]
    return {
      compress: (runs) =>
        Effect.suspend(() => {
          if (runs.length === 0) return Effect.succeed([])
          const [only] = runs
          const input = only !== undefined && runs.length === 1 ? only : gather(runs, gathered)
          const filling = new Filling(memory(twicePages(1, input.length)))
          ;[memory, other] = [other, memory]
          const task = streams.run({
            pieces: 1,
            input: () => input,
            output: (_, bytes) => filling.append(bytes),
            checkOutput: (_, error) => {
              if (filling.overflown) return failed(method, tooLong(filling))
              return error === null ? undefined : failed(method, error)
            }
          })
          return Effect.map(task, () => [filling.target.subarray(0, filling.length)])
        })
    }
  })

const tooLong = ({ target: { length } }: Filling): Error =>
  new Error(`the pages compress to more than ${length} bytes, twice their size`)

/**
 * The receiving end of a method whose payload is one stream, or a part of one.
 *
 * @internal
 */
export const makeStreamDecompressor = <S extends Native>(
  source: Source<S>
): Effect.Effect<Decompressor, CompressorFailedError, Scope.Scope> =>
  Effect.map(makeCodecStreams({ ...source, reuse: true }, 1), (streams): Decompressor => ({
    decompress: (payload, target) =>
      Effect.suspend(() => {
        const { method } = source
        if (target.length === 0) return payload.length === 0 ? Effect.void : streams.fail(unexpected(method, payload))
        const filling = new Filling(target)
        return streams.run({
          pieces: 1,
          input: () => payload,
          output: (_, bytes) => filling.append(bytes),
          checkOutput: (_, error, consumed) => check({ method, input: payload, filling, error, consumed })
        })
      })
  }))

/** Detects a payload in a packet without pages: a stream would silently take some bytes, and miss them later. */
const unexpected = (method: CompressionMethod, { length }: Uint8Array): PayloadError =>
  new PayloadError({
    method,
    problem: "input-left-over",
    expected: "no payload in a packet without pages",
    found: `${length} bytes`
  })
