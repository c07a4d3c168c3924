/**
 * The unit of allocation, as on most file systems.
 *
 * @internal
 */
export const CHUNK = 4096

const zeros = new Uint8Array(CHUNK)

/**
 * The content of a file with holes: only written parts use memory.
 *
 * @internal
 */
export class SparseBytes {
  readonly #chunks = new Map<number, Uint8Array>()
  size = 0

  /** Chunks that are not holes. */
  get allocated(): number {
    return this.#chunks.size
  }

  /** The chunks of a range that are holes. */
  holes(position: number, length: number): number {
    let count = 0
    const end = Math.ceil((position + length) / CHUNK)
    for (let chunk = Math.floor(position / CHUNK); chunk < end; chunk++) if (!this.#chunks.has(chunk)) count++
    return count
  }

  write(position: number, data: Uint8Array): void {
    this.#forEachPart(position, data.length, (chunk, start, part, at) => {
      const bytes = this.#chunks.get(chunk)
      const source = data.subarray(at, at + part)
      if (bytes !== undefined) bytes.set(source, start)
      else if (part === CHUNK) this.#chunks.set(chunk, new Uint8Array(source))
      else {
        const fresh = new Uint8Array(CHUNK)
        fresh.set(source, start)
        this.#chunks.set(chunk, fresh)
      }
    })
    this.size = Math.max(this.size, position + data.length)
  }

  /** Fills `target` with the available bytes, and returns their number. */
  read(position: number, target: Uint8Array): number {
    const length = Math.max(0, Math.min(target.length, this.size - position))
    this.#forEachPart(position, length, (chunk, start, part, at) => {
      const bytes = this.#chunks.get(chunk)
      if (bytes === undefined) target.fill(0, at, at + part)
      else target.set(part === CHUNK ? bytes : bytes.subarray(start, start + part), at)
    })
    return length
  }

  truncate(size: number): void {
    if (size < this.size) {
      for (const chunk of this.#chunks.keys()) if (chunk * CHUNK >= size) this.#chunks.delete(chunk)
      this.#chunks.get(Math.floor(size / CHUNK))?.fill(0, size % CHUNK)
    }
    this.size = size
  }

  /** The whole content. Holes are not touched: an image is mostly holes. */
  bytes(): Uint8Array {
    const bytes = new Uint8Array(this.size)
    for (const [chunk, part] of this.#chunks) {
      const start = chunk * CHUNK
      bytes.set(start + CHUNK > this.size ? part.subarray(0, this.size - start) : part, start)
    }
    return bytes
  }

  equals(content: Uint8Array): boolean {
    if (content.length !== this.size) return false
    for (let at = 0, chunk = 0; at < this.size; at += CHUNK, chunk++) {
      const bytes = this.#chunks.get(chunk) ?? zeros
      const end = Math.min(at + CHUNK, this.size)
      if (Buffer.compare(bytes.subarray(0, end - at), content.subarray(at, end)) !== 0) return false
    }
    return true
  }

  #forEachPart(
    position: number,
    length: number,
    f: (chunk: number, start: number, part: number, at: number) => void
  ): void {
    for (let at = 0; at < length;) {
      const start = (position + at) % CHUNK
      const part = Math.min(CHUNK - start, length - at)
      f((position + at - start) / CHUNK, start, part, at)
      at += part
    }
  }
}
