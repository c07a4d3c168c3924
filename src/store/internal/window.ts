import * as PageDigest from "../../format/store/PageDigest.ts"

/** Bytes of pages that wait for the compressor: most pages that a running guest writes again are replaced here. */
const WINDOW_BYTES = 32 * 1024 * 1024

/** Pages of one block that become one frame. @internal */
export interface Group {
  readonly block: number
  /** Ascending. */
  readonly pages: ReadonlyArray<number>
  readonly bytes: Uint8Array
  readonly digests: Uint8Array
}

interface Slot {
  readonly block: number
  readonly page: number
  readonly index: number
}

/** More pages than any block has: a key of block and page. */
const BLOCK = 2 ** 40

/**
 * New pages, in memory of a fixed size. A page that arrives again replaces its former content.
 *
 * @internal
 */
export class Window {
  readonly #pageSizes: ReadonlyArray<number>
  readonly #slotBytes: number
  readonly #capacity: number
  #bytes: Uint8Array | undefined
  #digests: Uint8Array
  readonly #slots = new Map<number, Slot>()
  #free: Array<number> = []
  #used = 0

  constructor(pageSizes: ReadonlyArray<number>, windowBytes = WINDOW_BYTES) {
    this.#pageSizes = pageSizes
    this.#slotBytes = Math.max(1, ...pageSizes)
    this.#capacity = Math.max(1, Math.floor(windowBytes / this.#slotBytes))
    this.#digests = new Uint8Array(this.#capacity * PageDigest.BYTES)
  }

  get isFull(): boolean {
    return this.#slots.size === this.#capacity
  }

  put(block: number, page: number, bytes: Uint8Array, digest: Uint8Array): void {
    const key = block * BLOCK + page
    const slot = this.#slots.get(key) ?? { block, page, index: this.#free.pop() ?? this.#used++ }
    this.#slots.set(key, slot)
    this.#bytes ??= new Uint8Array(this.#capacity * this.#slotBytes)
    this.#bytes.set(bytes, slot.index * this.#slotBytes)
    this.#digests.set(digest, slot.index * PageDigest.BYTES)
  }

  remove(block: number, page: number): void {
    const key = block * BLOCK + page
    const slot = this.#slots.get(key)
    if (slot === undefined) return
    this.#slots.delete(key)
    this.#free.push(slot.index)
  }

  /**
   * All pages, in groups of neighbours of at most `frameBytes`, at least one page each. The window is empty afterwards.
   */
  take(frameBytes: number): ReadonlyArray<Group> {
    const slots = [...this.#slots.values()].toSorted((a, b) => a.block - b.block || a.page - b.page)
    const groups: Array<Group> = []
    for (let from = 0; from < slots.length;) {
      const first = slots[from]
      const pageSize = this.#pageSizes[first?.block ?? 0] ?? this.#slotBytes
      const most = from + Math.max(1, Math.min(MAX_PAGES, Math.floor(frameBytes / pageSize)))
      let to = from + 1
      while (to < Math.min(most, slots.length) && slots[to]?.block === first?.block) to++
      groups.push(this.#group(slots.slice(from, to), pageSize))
      from = to
    }
    this.#slots.clear()
    this.#free = []
    this.#used = 0
    return groups
  }

  #group(slots: ReadonlyArray<Slot>, pageSize: number): Group {
    const bytes = new Uint8Array(slots.length * pageSize)
    const digests = new Uint8Array(slots.length * PageDigest.BYTES)
    const all = this.#bytes ?? bytes
    slots.forEach(({ index }, at) => {
      bytes.set(all.subarray(index * this.#slotBytes, index * this.#slotBytes + pageSize), at * pageSize)
      digests.set(
        this.#digests.subarray(index * PageDigest.BYTES, (index + 1) * PageDigest.BYTES),
        at * PageDigest.BYTES
      )
    })
    return { block: slots[0]?.block ?? 0, pages: slots.map(({ page }) => page), bytes, digests }
  }
}

/** Pages of the largest frame. */
const MAX_PAGES = 256
