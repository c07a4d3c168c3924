/**
 * The part of a stream that has arrived and is still needed, in one buffer.
 *
 * ```text
 *   bytes   │ no longer needed │ kept …… │ arrived …… │ space │
 *           0 = position base  keep()    ▲            end
 *                                        the reader's position, somewhere here
 * ```
 *
 * @internal
 */
export class StreamWindow {
  bytes: Uint8Array
  view: DataView
  /** Index after the last byte that has arrived. */
  end = 0
  /** `true` if no more bytes will arrive. */
  isEnded = false
  /** Position in the stream of the first byte in the buffer. */
  private base = 0

  constructor(size: number) {
    this.bytes = new Uint8Array(size)
    this.view = new DataView(this.bytes.buffer)
  }

  /** The index in `bytes` of a position in the stream. */
  indexOf(position: number): number {
    return position - this.base
  }

  /** The position in the stream of an index in `bytes`. */
  positionOf(index: number): number {
    return this.base + index
  }

  /** The arrived bytes from a position, at most `length` of them. */
  from(position: number, length = Infinity): Uint8Array {
    const index = this.indexOf(position)
    return this.bytes.subarray(index, Math.min(index + length, this.end))
  }

  /**
   * Space for at least one byte after those that have arrived. Bytes before `keep` are discarded to make room. If that
   * is not enough, the buffer doubles, so that it grows with the arrived bytes and not with the announced ones.
   */
  space(keep: number): Uint8Array {
    const index = this.indexOf(keep)
    const target = index === 0 && this.end === this.bytes.length ? new Uint8Array(2 * this.bytes.length) : this.bytes
    // Bytes already in place are not moved: otherwise each single byte would move all of them.
    if (index > 0 || target !== this.bytes) target.set(this.bytes.subarray(index, this.end))
    if (target !== this.bytes) {
      this.bytes = target
      this.view = new DataView(target.buffer)
    }
    this.base = keep
    this.end -= index
    return this.bytes.subarray(this.end)
  }
}
