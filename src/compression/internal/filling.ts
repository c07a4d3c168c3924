/**
 * Memory that is filled from its start, and never past its end.
 *
 * @internal
 */
export class Filling {
  readonly target: Uint8Array
  /** Bytes filled so far. */
  length = 0
  /** `true` after more bytes came than fit; the excess was dropped. */
  overflown = false

  constructor(target: Uint8Array) {
    this.target = target
  }

  /** Appends bytes. Returns `false` and changes nothing if they do not fit. */
  append(bytes: Uint8Array): boolean {
    if (bytes.length > this.target.length - this.length) {
      this.overflown = true
      return false
    }
    this.target.set(bytes, this.length)
    this.length += bytes.length
    return true
  }
}
