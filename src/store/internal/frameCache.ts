/**
 * Decoded frames; the least recently used are evicted first when a limit of bytes is reached.
 *
 * @internal
 */
export class FrameCache {
  readonly #frames = new Map<string, Uint8Array>()
  readonly #maxBytes: number
  #bytes = 0

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes
  }

  get(key: string): Uint8Array | undefined {
    const frame = this.#frames.get(key)
    if (frame === undefined) return undefined
    // The order of a map is that of its insertions.
    this.#frames.delete(key)
    this.#frames.set(key, frame)
    return frame
  }

  put(key: string, frame: Uint8Array): void {
    const old = this.#frames.get(key)
    if (old !== undefined) this.#bytes -= old.length
    this.#frames.delete(key)
    this.#frames.set(key, frame)
    this.#bytes += frame.length
    for (const [oldest, { length }] of this.#frames) {
      if (this.#bytes <= this.#maxBytes || oldest === key) break
      this.#frames.delete(oldest)
      this.#bytes -= length
    }
  }
}
