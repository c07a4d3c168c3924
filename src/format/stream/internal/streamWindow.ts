/**
 * The part of a stream that has arrived and is still needed, in one piece of memory.
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
  /** Index behind the last byte that has arrived. */
  end = 0
  /** Whether no more will come. */
  isEnded = false
  /** Position in the stream of the first byte. */
  private base = 0

  constructor(size: number) {
    this.bytes = new Uint8Array(size)
    this.view = new DataView(this.bytes.buffer)
  }

  /** Where in `bytes` a position of the stream lies. */
  indexOf(position: number): number {
    return position - this.base
  }

  /** Where in the stream an index of `bytes` lies. */
  positionOf(index: number): number {
    return this.base + index
  }

  /** What has arrived from a position on, `length` bytes of it at most. */
  from(position: number, length = Infinity): Uint8Array {
    const index = this.indexOf(position)
    return this.bytes.subarray(index, Math.min(index + length, this.end))
  }

  /**
   * Room for at least one byte behind those that have arrived. Bytes in front of `keep` are given up for it; if that is
   * not enough, the memory doubles, so that it grows with what has arrived and not with what was announced.
   */
  space(keep: number): Uint8Array {
    const index = this.indexOf(keep)
    const target = index === 0 && this.end === this.bytes.length ? new Uint8Array(2 * this.bytes.length) : this.bytes
    // What lies in its place already is left there: else one byte after another would move everything each time.
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
