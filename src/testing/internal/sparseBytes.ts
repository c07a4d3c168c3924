/**
 * The unit of allocation, as on most file systems.
 *
 * @internal
 */
export const CHUNK = 4096

/**
 * The content of a file with holes: memory is used only where something was written.
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
    for (const chunk of chunksOf(position, length)) if (!this.#chunks.has(chunk)) count++
    return count
  }

  write(position: number, data: Uint8Array): void {
    this.#forEachPart(position, data.length, (chunk, start, end, at) => {
      let bytes = this.#chunks.get(chunk)
      if (bytes === undefined) this.#chunks.set(chunk, (bytes = new Uint8Array(CHUNK)))
      bytes.set(data.subarray(at, at + end - start), start)
    })
    this.size = Math.max(this.size, position + data.length)
  }

  /** Fills as much of `target` as there is, and says how much that was. */
  read(position: number, target: Uint8Array): number {
    const length = Math.max(0, Math.min(target.length, this.size - position))
    this.#forEachPart(position, length, (chunk, start, end, at) => {
      const bytes = this.#chunks.get(chunk)
      if (bytes === undefined) target.fill(0, at, at + end - start)
      else target.set(bytes.subarray(start, end), at)
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

  bytes(): Uint8Array {
    const bytes = new Uint8Array(this.size)
    this.read(0, bytes)
    return bytes
  }

  #forEachPart(
    position: number,
    length: number,
    f: (chunk: number, start: number, end: number, at: number) => void
  ): void {
    for (const chunk of chunksOf(position, length)) {
      const start = Math.max(0, position - chunk * CHUNK)
      const end = Math.min(CHUNK, position + length - chunk * CHUNK)
      f(chunk, start, end, chunk * CHUNK + start - position)
    }
  }
}

function* chunksOf(position: number, length: number): Generator<number> {
  const end = Math.ceil((position + length) / CHUNK)
  for (let chunk = Math.floor(position / CHUNK); chunk < end; chunk++) yield chunk
}
