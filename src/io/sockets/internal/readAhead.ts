/**
 * Bytes that have arrived before a read was requested.
 *
 *     ░░░░░░████████▒▒▒▒▒▒▒▒░░      █ not read yet
 *           │       │       │      ▒ handed out by `free`, `piece` bytes
 *         first    end             ░ unused
 *
 * @internal
 */
export class ReadAhead {
  readonly #piece: number
  #memory: Uint8Array
  #first = 0
  #end = 0

  constructor(piece: number) {
    this.#piece = piece
    this.#memory = new Uint8Array(2 * piece)
  }

  get length(): number {
    return this.#end - this.#first
  }

  /**
   * The place for the next bytes; it invalidates earlier results. The memory stays at two pieces unless bytes are
   * delivered without a request, as TLS does with the rest of a record.
   */
  free(): Uint8Array {
    if (this.#memory.length - this.#end < this.#piece) this.#makeRoom()
    return this.#memory.subarray(this.#end, this.#end + this.#piece)
  }

  /** Records that `bytes` bytes were put into the memory from `free`. */
  filled(bytes: number): void {
    this.#end += bytes
  }

  /** Moves as many bytes as fit, and returns their number. */
  moveTo(target: Uint8Array): number {
    const bytes = Math.min(target.length, this.length)
    target.set(this.#memory.subarray(this.#first, this.#first + bytes))
    this.#first += bytes
    return bytes
  }

  #makeRoom(): void {
    const left = this.#memory.subarray(this.#first, this.#end)
    const needed = left.length + this.#piece
    if (needed > this.#memory.length) this.#memory = new Uint8Array(2 * needed)
    this.#memory.set(left)
    this.#first = 0
    this.#end = left.length
  }
}
