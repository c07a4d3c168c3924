import type { CompressionMethod } from "../Compression.ts"
import { type CompressionError, CompressorFailedError, PayloadError } from "../CompressionError.ts"
import type { Filling } from "./filling.ts"

/**
 * What Node calls the error: `Z_DATA_ERROR`, `ZSTD_error_corruption_detected` and so on.
 *
 * @internal
 */
export const libraryCode = (cause: unknown): string =>
  cause instanceof Error && "code" in cause && typeof cause.code === "string" ? cause.code : "UNKNOWN"

/** The library's errors that say nothing about the payload. */
const ownFaults = new Set(["Z_MEM_ERROR", "Z_STREAM_ERROR", "Z_VERSION_ERROR", "ZSTD_error_memory_allocation"])

/**
 * The library gave up although nothing was wrong with its input.
 *
 * @internal
 */
export const failed = (method: CompressionMethod, cause: Error): CompressorFailedError =>
  new CompressorFailedError({ method, code: libraryCode(cause), cause })

/**
 * A piece of a payload that was decompressed.
 *
 * @internal
 */
export interface Decompressed {
  readonly method: CompressionMethod
  readonly input: Uint8Array
  readonly filling: Filling
  readonly error: NodeJS.ErrnoException | null
  /** Bytes of the input that the library took. */
  readonly consumed: number
  /** The page within the packet, where each is compressed on its own. */
  readonly page?: number | undefined
}

/**
 * What is wrong with a piece, if anything is: it must have been taken to its end, and have filled its target exactly.
 *
 * @internal
 */
export const check = (piece: Decompressed): CompressionError | undefined => {
  const { method, input, filling, error, consumed, page } = piece
  const wrong = (problem: PayloadError["problem"], expected: string, found: string) =>
    new PayloadError({ method, problem, expected, found, page, cause: error ?? undefined })

  const room = `${filling.target.length} bytes`
  if (filling.overflown) return wrong("too-much-output", `it to give ${room}`, "that it gives more")
  if (error !== null) {
    const code = libraryCode(error)
    if (ownFaults.has(code)) return failed(method, error)
    if (code === "Z_BUF_ERROR") return wrong("incomplete", "a stream that ends", "one that goes on behind its end")
    return wrong("corrupt", "a valid stream", `${error.message} (${code})`)
  }
  if (consumed < input.length)
    return wrong("input-left-over", `a stream of ${input.length} bytes`, `one that ends after ${consumed}`)
  if (filling.length < filling.target.length)
    return wrong("too-little-output", `it to give ${room}`, `${filling.length} bytes`)
  return undefined
}
