const utf8 = new TextEncoder()

/**
 * Assembles big-endian numbers and short strings. The values are our own, so one that does not fit is a bug in the
 * caller.
 *
 * @internal
 */
export class ByteWriter {
  private bytes = new Uint8Array(256)
  private used = 0

  /** Bytes written so far. */
  get length(): number {
    return this.used
  }

  u8(value: number): this {
    this.grow(1)[0] = value
    return this
  }

  u16(value: number): this {
    return this.number(2, (view) => view.setUint16(0, value))
  }

  u32(value: number): this {
    return this.number(4, (view) => view.setUint32(0, value))
  }

  /** A number below 2^53. */
  u64(value: number): this {
    return this.number(8, (view) => view.setBigUint64(0, BigInt(value)))
  }

  /** UTF-8 after a length of four bytes. */
  str32(text: string): this {
    const bytes = utf8.encode(text)
    return this.u32(bytes.length).append(bytes)
  }

  /** UTF-8 after a length of one byte. */
  str8(text: string): this {
    const bytes = utf8.encode(text)
    if (bytes.length > 255) throw new RangeError(`a name of ${bytes.length} bytes does not fit a length byte: ${text}`)
    return this.u8(bytes.length).append(bytes)
  }

  append(bytes: Uint8Array): this {
    this.grow(bytes.length).set(bytes)
    return this
  }

  /** Everything written so far. */
  finish(): Uint8Array {
    return this.bytes.slice(0, this.used)
  }

  private number(length: number, set: (view: DataView) => void): this {
    const place = this.grow(length)
    set(new DataView(place.buffer, place.byteOffset, length))
    return this
  }

  private grow(length: number): Uint8Array {
    if (this.used + length > this.bytes.length) {
      const larger = new Uint8Array(2 * (this.used + length))
      larger.set(this.bytes)
      this.bytes = larger
    }
    return this.bytes.subarray(this.used, (this.used += length))
  }
}
