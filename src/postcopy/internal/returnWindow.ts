import * as Result from "effect/Result"
import type { Finding } from "../../format/Finding.ts"
import * as ReceivedBitmap from "../../format/postcopy/ReceivedBitmap.ts"
import * as ReturnPath from "../../format/stream/ReturnPath.ts"
import type { PageBitmap } from "../../ram/PageBitmap.ts"
import type { Shape } from "../../ram/RamBlock.ts"

/** A message from the destination, with the bitmap after it. @internal */
export interface Said {
  readonly message: ReturnPath.Message
  readonly received?: PageBitmap | undefined
}

const FIRST_BYTES = 64 * 1024

/**
 * Extracts messages from bytes as they arrive. It grows with the bitmap of the largest block.
 *
 * @internal
 */
export class ReturnWindow {
  readonly #blocks: ReadonlyMap<string, Shape>
  #buffer = new Uint8Array(FIRST_BYTES)
  #start = 0
  #end = 0
  /** Bytes of the connection before the window. */
  #position = 0

  constructor(blocks: ReadonlyMap<string, Shape>) {
    this.#blocks = blocks
  }

  /** Space for the next bytes. */
  space(): Uint8Array {
    if (this.#start > 0) {
      this.#buffer.copyWithin(0, this.#start, this.#end)
      this.#position += this.#start
      this.#end -= this.#start
      this.#start = 0
    }
    if (this.#end === this.#buffer.length) {
      const larger = new Uint8Array(2 * this.#buffer.length)
      larger.set(this.#buffer)
      this.#buffer = larger
    }
    return this.#buffer.subarray(this.#end)
  }

  filled(bytes: number): void {
    this.#end += bytes
  }

  /** The next message; `undefined`: it has not arrived completely. */
  next(): Result.Result<Said | undefined, Finding> {
    const bytes = this.#buffer.subarray(this.#start, this.#end)
    const { HEADER_LENGTH } = ReturnPath
    if (bytes.length < HEADER_LENGTH) return Result.succeed(undefined)
    const position = this.#position + this.#start
    const header = ReturnPath.decodeHeader(bytes, position)
    if (Result.isFailure(header)) return Result.fail(header.failure)
    const end = HEADER_LENGTH + header.success.length
    if (bytes.length < end) return Result.succeed(undefined)
    const message = ReturnPath.decodeBody(header.success, bytes.subarray(HEADER_LENGTH), position + HEADER_LENGTH)
    if (Result.isFailure(message)) return Result.fail(message.failure)
    return this.#withBitmap(message.success, bytes, end, position)
  }

  #withBitmap(
    message: ReturnPath.Message,
    bytes: Uint8Array,
    end: number,
    position: number
  ): Result.Result<Said | undefined, Finding> {
    const block = message._tag === "ReceivedBitmap" ? this.#blocks.get(message.idstr) : undefined
    if (block === undefined) {
      this.#start += end
      return Result.succeed({ message })
    }
    const length = ReceivedBitmap.lengthOf(block)
    if (bytes.length < end + length) return Result.succeed(undefined)
    this.#start += end + length
    return Result.map(ReceivedBitmap.decode(block, bytes.subarray(end), position + end), (received) => ({
      message,
      received
    }))
  }
}
