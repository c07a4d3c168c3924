/**
 * Memory whose growth allocates a new buffer: a `WebAssembly.Memory`.
 *
 * @stability stable
 * @category models
 * @since 0.1.0
 */
export interface GrowableMemory {
  readonly buffer: ArrayBuffer | SharedArrayBuffer
}

/**
 * The kinds of memory that can hold pages. For a `Uint8Array`, the block is its part of the buffer.
 *
 * @stability stable
 * @category models
 * @since 0.1.0
 */
export type Memory = Uint8Array | ArrayBuffer | SharedArrayBuffer | GrowableMemory

/**
 * Options of a block in memory.
 *
 * @stability stable
 * @category models
 * @since 0.1.0
 */
export interface Options {
  /** QEMU's name of the block: 1 to 255 bytes of UTF-8. */
  readonly idstr: string
  /**
   * The memory that holds the pages. The block is as long as the memory, or the given range of it, is now: whole pages.
   */
  readonly memory: Memory
  /** Start of the block, in bytes from the start of `memory`, with any alignment; default 0. */
  readonly byteOffset?: number | undefined
  /** Bytes of the block. Default: everything from `byteOffset` to the end of the memory as it is now. */
  readonly byteLength?: number | undefined
  /** Bytes in one page; 4096 by default. */
  readonly pageSize?: number | undefined
  /**
   * `true` promises that every byte is zero, as in newly allocated memory, so that a restore can skip zero pages;
   * `false` by default. A wrong promise leaves stale bytes in the memory.
   */
  readonly fresh?: boolean | undefined
}
