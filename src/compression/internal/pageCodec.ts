import * as Invariant from "../../ram/Invariant.ts"
import { Buffer } from "node:buffer"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import type * as Scope from "effect/Scope"
import type { CompressionMethod, Compressor, Decompressor } from "../Compression.ts"
import { type CompressorFailedError, PayloadError } from "../CompressionError.ts"
import { Filling } from "./filling.ts"
import { makeCodecStreams, type Source } from "./codecStreams.ts"
import { copyParts } from "./memory.ts"
import type { Native } from "./nativeStream.ts"
import { compressPieces, type Packed, split } from "./pieces.ts"
import { check } from "./problems.ts"

/**
 * Pages of a channel in progress at once. Each needs a round trip to a thread; four hide most of that, and Node's
 * thread pool has four threads by default.
 */
const streams = 4

/** Bytes of one entry in the table of lengths. */
const entrySize = 4

/**
 * Bytes of the largest payload: the table of lengths, and every page stored.
 *
 * @internal
 */
export const storedPages = (pages: number, pageSize: number): number => pages * (entrySize + pageSize)

/**
 * The sending end of a method that compresses each page separately.
 *
 * @internal
 */
export const makePageCompressor = <S extends Native>(
  source: Source<S>
): Effect.Effect<Compressor, CompressorFailedError, Scope.Scope> =>
  Effect.map(makeCodecStreams(source, streams), (streams): Compressor => ({
    compress: (runs, pageSize) =>
      Effect.suspend(() => {
        const pages = runs.flatMap((run) => split(run, pageSize))
        return Effect.map(compressPieces(streams, source.method, pages), (packed) => layOut(pages, packed))
      })
  }))

/** The table of lengths, followed by the pages: compressed, or unchanged if that is no larger. */
const layOut = (pages: ReadonlyArray<Uint8Array>, packed: ReadonlyArray<Packed>): ReadonlyArray<Uint8Array> => {
  if (pages.length === 0) return []
  const pageOf = (page: number) => Invariant.defined(pages[page], "each compressed page is one of the pages")
  const lengths = packed.map(({ length }, page) => Math.min(length, pageOf(page).length))
  const tableLength = pages.length * entrySize
  const payload = Buffer.allocUnsafe(lengths.reduce((total, length) => total + length, tableLength))
  let end = tableLength
  packed.forEach(({ length, parts }, page) => {
    const plain = pageOf(page)
    payload.writeUInt32BE(Math.min(length, plain.length), page * entrySize)
    end = copyParts(length < plain.length ? parts : [plain], payload, end)
  })
  return [payload]
}

/**
 * The receiving end of such a method.
 *
 * @internal
 */
export const makePageDecompressor = <S extends Native>(
  source: Source<S>
): Effect.Effect<Decompressor, CompressorFailedError, Scope.Scope> =>
  Effect.map(makeCodecStreams({ ...source, reuse: true }, streams), ({ run, fail }): Decompressor => {
    const fill = (pages: ReadonlyArray<PageInput>) => {
      const compressed = pages.filter(({ input, filling }) => input.length < filling.target.length)
      for (const { input, filling } of pages) {
        if (input.length === filling.target.length) filling.append(input)
      }
      const pieceOf = (piece: number) => Invariant.defined(compressed[piece], "a piece of the task is compressed")
      return run({
        pieces: compressed.length,
        input: (piece) => pieceOf(piece).input,
        output: (piece, bytes) => pieceOf(piece).filling.append(bytes),
        checkOutput: (piece, error, consumed) => check({ method: source.method, ...pieceOf(piece), error, consumed })
      })
    }
    return {
      decompress: (payload, target, pageSize) =>
        Effect.suspend(() =>
          Result.match(locate(source.method, payload, target, pageSize), { onFailure: fail, onSuccess: fill })
        )
    }
  })

/** A page's bytes in the payload, and their position. */
interface PageInput {
  /** The page's number in the packet. */
  readonly page: number
  readonly input: Uint8Array
  readonly filling: Filling
}

/** Reads the table of lengths. Nothing in it is trusted until it adds up. */
const locate = (
  method: CompressionMethod,
  payload: Uint8Array,
  target: Uint8Array,
  pageSize: number
): Result.Result<ReadonlyArray<PageInput>, PayloadError> => {
  const wrong = (problem: PayloadError["problem"], expected: string, found: string, page?: number) =>
    Result.fail(new PayloadError({ method, problem, expected, found, page }))

  const count = target.length / pageSize
  const tableLength = count * entrySize
  if (payload.length < tableLength)
    return wrong("incomplete", `a table of ${count} lengths, ${tableLength} bytes`, `${payload.length} bytes`)

  const table = new DataView(payload.buffer, payload.byteOffset, tableLength)
  const pages: Array<PageInput> = []
  let start = tableLength
  for (let page = 0; page < count; page++) {
    const length = table.getUint32(page * entrySize)
    if (length === 0 || length > pageSize)
      return wrong("length-out-of-range", `a length of 1 to ${pageSize}`, `${length}`, page)
    const end = start + length
    if (end > payload.length)
      return wrong("length-out-of-range", `at most the ${payload.length - start} bytes left`, `${length}`, page)
    const place = target.subarray(page * pageSize, (page + 1) * pageSize)
    pages.push({ page, input: payload.subarray(start, end), filling: new Filling(place) })
    start = end
  }
  if (start < payload.length)
    return wrong("input-left-over", `lengths that add up to ${payload.length - tableLength}`, `${start - tableLength}`)
  return Result.succeed(pages)
}
