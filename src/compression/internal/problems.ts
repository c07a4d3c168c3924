import type { CompressionMethod } from "../Compression.ts"
import { type CompressionError, CompressorFailedError, PayloadError } from "../CompressionError.ts"
import type { Filling } from "./filling.ts"

/**
 * Node's name for the error: `Z_DATA_ERROR`, `ZSTD_error_corruption_detected` and so on.
 *
 * @internal
 */
export const libraryCode = (cause: unknown): string =>
  cause instanceof Error && "code" in cause && typeof cause.code === "string" ? cause.code : "UNKNOWN"

/** Errors of the library that are unrelated to the payload. */
const ownFaults = new Set(["Z_MEM_ERROR", "Z_STREAM_ERROR", "Z_VERSION_ERROR", "ZSTD_error_memory_allocation"])

/**
 * The library failed although its input was valid.
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
  /** Bytes of the input that the library consumed. */
  readonly consumed: number
  /** The page within the packet, if each page is compressed separately. */
  readonly page?: number | undefined
}

/**
 * Checks a piece and returns the problem, if there is one: it must be consumed to its end, and fill its target exactly.
 *
 * @internal
 */
export const check = (piece: Decompressed): CompressionError | undefined => {
  const { method, input, filling, error, consumed, page } = piece
  const wrong = (problem: PayloadError["problem"], expected: string, found: string) =>
    new PayloadError({ method, problem, expected, found, page, cause: error ?? undefined })

  const room = `${filling.target.length} bytes`
  if (filling.overflown) return wrong("too-much-output", `${room} after decompression`, "more")
  if (error !== null) {
    const code = libraryCode(error)
    if (ownFaults.has(code)) return failed(method, error)
    if (code === "Z_BUF_ERROR") return wrong("incomplete", "a complete stream", "one that continues past its end")
    return wrong("corrupt", "a valid stream", `${error.message} (${code})`)
  }
  if (consumed < input.length)
    return wrong("input-left-over", `a stream of ${input.length} bytes`, `one that ends after ${consumed}`)
  if (filling.length < filling.target.length)
    return wrong("too-little-output", `${room} after decompression`, `${filling.length} bytes`)
  return undefined
}
