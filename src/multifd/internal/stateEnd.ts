import * as Result from "effect/Result"
import { Buffer } from "node:buffer"
import * as Description from "../../format/devices/Description.ts"
import { SectionType } from "../../format/stream/MigrationStream.ts"
import { GrowingBytes } from "./growingBytes.ts"

/** End of stream, description, u32 length. */
const HEAD_BYTES = 6
const OPENING_BRACE = 0x7b
const needle = Buffer.from([SectionType.endOfStream, SectionType.description])

/** A description that has begun to arrive. */
interface Text {
  readonly length: number
  readonly arrived: GrowingBytes
}

/**
 * Detects the end of a migration stream while it arrives. With a return path the sender does not close the connection
 * but waits for an answer, and the device state has no length. The end is the description after it, `00 06 L {…}`, if
 * exactly its last byte has arrived and it is a valid description.
 *
 * Texts have no zero byte and every place where one might begin has one, so nothing is examined twice.
 *
 * @internal
 */
export class StateEnd {
  /** A possible start of a head. */
  #carry = new Uint8Array(0)
  #text: Text | undefined
  #isComplete = false

  /** `true` if the data so far is a complete stream. */
  get isComplete(): boolean {
    return this.#isComplete
  }

  push(bytes: Uint8Array): void {
    this.#isComplete = false
    let rest = bytes
    while (rest.length > 0) rest = this.#text === undefined ? this.#search(rest) : this.#continue(this.#text, rest)
  }

  /** Takes bytes up to the start of a text, and returns the rest. */
  #search(bytes: Uint8Array): Uint8Array {
    const carried = this.#carry.length
    const all = carried === 0 ? asBuffer(bytes) : Buffer.concat([this.#carry, bytes])
    this.#carry = new Uint8Array(0)
    let at = all.indexOf(needle)
    while (at >= 0 && at + HEAD_BYTES < all.length) {
      const length = all.readUInt32BE(at + 2)
      if (all[at + HEAD_BYTES] === OPENING_BRACE && length <= Description.MAX_JSON_BYTES) {
        this.#text = { length, arrived: new GrowingBytes() }
        return bytes.subarray(at + HEAD_BYTES - carried)
      }
      at = all.indexOf(needle, at + 1)
    }
    const kept = at >= 0 ? at : all.at(-1) === SectionType.endOfStream ? all.length - 1 : all.length
    this.#carry = Uint8Array.from(all.subarray(kept))
    return new Uint8Array(0)
  }

  #continue(text: Text, bytes: Uint8Array): Uint8Array {
    const part = bytes.subarray(0, text.length - text.arrived.length)
    const zero = part.indexOf(0)
    if (zero >= 0) {
      this.#text = undefined
      return bytes.subarray(zero)
    }
    text.arrived.append(part)
    if (text.arrived.length === text.length) {
      this.#text = undefined
      this.#isComplete = part.length === bytes.length && isDescription(text)
    }
    return bytes.subarray(part.length)
  }
}

const asBuffer = (bytes: Uint8Array): Buffer => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)

const isDescription = ({ arrived }: Text): boolean => Result.isSuccess(Description.decode(arrived.view))
