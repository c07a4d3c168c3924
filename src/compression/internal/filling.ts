/**
 * Memory that is filled from its beginning, and never beyond its end.
 *
 * @internal
 */
export class Filling {
  readonly target: Uint8Array
  /** Bytes filled so far. */
  length = 0
  /** There were more bytes than fit; those that do not fit were dropped. */
  overflown = false

  constructor(target: Uint8Array) {
    this.target = target
  }

  /** Appends bytes; `false`, and nothing is changed, if they do not fit. */
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
