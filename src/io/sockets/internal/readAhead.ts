/**
 * Bytes that have arrived before anybody said where they belong.
 *
 *     ░░░░░░████████▒▒▒▒▒▒▒▒░░      █ not read yet
 *           │       │       │      ▒ given away by `free`, `piece` bytes
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
   * Where the next bytes may go; an earlier answer does not count any more. The memory stays at two pieces unless bytes are
   * delivered although nobody asked, as TLS does with what is left of a record.
   */
  free(): Uint8Array {
    if (this.#memory.length - this.#end < this.#piece) this.#makeRoom()
    return this.#memory.subarray(this.#end, this.#end + this.#piece)
  }

  /** So many bytes were put into what `free` gave away. */
  filled(bytes: number): void {
    this.#end += bytes
  }

  /** Moves as many bytes as fit, and says how many. */
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
