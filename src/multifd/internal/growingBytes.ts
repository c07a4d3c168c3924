/**
 * Bytes that arrive in pieces, as one: memory grows with their sum, however short the pieces are and whatever was announced.
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

  /** All of them; valid until more are appended. */
  get view(): Uint8Array<ArrayBuffer> {
    return this.#memory.subarray(0, this.#length)
  }
}
