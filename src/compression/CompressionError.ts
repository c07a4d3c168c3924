/**
 * Errors of compression and decompression, one class for each reaction of a caller.
 *
 * @since 0.1.0
 */
import * as Runtime from "effect/Runtime"
import * as Schema from "effect/Schema"
import { TaggedError } from "../ram/TaggedError.ts"

const Method = Schema.Literals(["zlib", "zstd", "qpl", "uadk", "qatzip"])

/**
 * The problem with a payload.
 *
 * | problem | |
 * |---|---|
 * | `corrupt` | the bytes are not of the method's format, or a checksum does not match |
 * | `too-little-output` | the payload gives fewer bytes than the packet has pages for |
 * | `too-much-output` | the payload gives more bytes |
 * | `input-left-over` | the pages are full before the payload has ended |
 * | `incomplete` | the stream of a page or of a packet does not end with its bytes |
 * | `length-out-of-range` | the length of a page is 0 or more than a page, or does not add up |
 *
 * @stability stable
 * @category models
 * @since 0.1.0
 */
export type Problem = "corrupt" | "too-little-output" | "too-much-output" | "input-left-over" | "length-out-of-range"

/**
 * A packet's payload is not valid for the peer's compression method and the packet's pages. `page` counts from 0 within
 * the packet, if the method compresses each page separately. Exit code 8.
 *
 * @stability stable
 * @category errors
 * @since 0.1.0
 */
export class PayloadError extends TaggedError<PayloadError>()("PayloadError", {
  method: Method,
  problem: Schema.Literals([
    "corrupt",
    "incomplete",
    "too-little-output",
    "too-much-output",
    "input-left-over",
    "length-out-of-range"
  ]),
  expected: Schema.String,
  found: Schema.String,
  page: Schema.optional(Schema.Number),
  cause: Schema.optional(Schema.Defect())
}) {
  override readonly [Runtime.errorExitCode] = 8
  override get message(): string {
    const page = this.page === undefined ? "" : `, page ${this.page} of the packet`
    return `${this.method} payload${page}: expected ${this.expected}, found ${this.found}`
  }
}

/**
 * The compressor failed: the library reported an error, such as a lack of memory. `code` is the library's name for it.
 * Exit code 1.
 *
 * @stability stable
 * @category errors
 * @since 0.1.0
 */
export class CompressorFailedError extends TaggedError<CompressorFailedError>()("CompressorFailedError", {
  method: Method,
  code: Schema.String,
  cause: Schema.optional(Schema.Defect())
}) {
  override readonly [Runtime.errorExitCode] = 1
  override get message(): string {
    return `${this.method}: the compressor failed with ${this.code}`
  }
}

/**
 * The compressor or decompressor is closed: its scope has ended, or an earlier call failed or was interrupted. The
 * earlier call has the reason. Exit code 1.
 *
 * @stability stable
 * @category errors
 * @since 0.1.0
 */
export class CompressorClosedError extends TaggedError<CompressorClosedError>()("CompressorClosedError", {
  method: Method
}) {
  override readonly [Runtime.errorExitCode] = 1
  override get message(): string {
    return `${this.method}: the stream is closed, by an earlier failure, an interruption or its scope`
  }
}

/**
 * The method does not have this level. Detected before anything was opened. Exit code 2.
 *
 * @stability stable
 * @category errors
 * @since 0.1.0
 */
export class CompressionLevelError extends TaggedError<CompressionLevelError>()("CompressionLevelError", {
  method: Method,
  minimum: Schema.Number,
  maximum: Schema.Number,
  found: Schema.Number
}) {
  override readonly [Runtime.errorExitCode] = 2
  override get message(): string {
    return `${this.method}: the level is ${this.found}; use a whole number from ${this.minimum} to ${this.maximum}`
  }
}

/**
 * All errors of compressing and decompressing.
 *
 * @stability stable
 * @category errors
 * @since 0.1.0
 */
export type CompressionError = PayloadError | CompressorFailedError | CompressorClosedError
