/**
 * Bytes that arrive in pieces, as one. Memory grows with their sum, for any length of the pieces and any announced
 * length.
 *
 * @internal
 */
export class GrowingBytes {
  #memory = new Uint8Array(0)
  #length = 0

  get length(): number {
    return this.#length
  }

  append(bytes: Uint8Array): void {
    const needed = this.#length + bytes.length
    if (needed > this.#memory.length) this.#memory = new Uint8Array(this.#memory.buffer.transfer(2 * needed))
    this.#memory.set(bytes, this.#length)
    this.#length = needed
  }

  /** All bytes; valid until more are appended. */
  get view(): Uint8Array<ArrayBuffer> {
    return this.#memory.subarray(0, this.#length)
  }
}
