/**
 * Memory that can move, because growing it makes a new buffer: a `WebAssembly.Memory`.
 *
 * @stability stable
 * @category models
 * @since 0.1.0
 */
export interface GrowableMemory {
  readonly buffer: ArrayBuffer | SharedArrayBuffer
}

/**
 * Where the pages can lie. Of a `Uint8Array`, its own part of the buffer is the block.
 *
 * @stability stable
 * @category models
 * @since 0.1.0
 */
export type Memory = Uint8Array | ArrayBuffer | SharedArrayBuffer | GrowableMemory

/**
 * What makes a block of memory.
 *
 * @stability stable
 * @category models
 * @since 0.1.0
 */
export interface Options {
  /** QEMU's name of the block: 1 to 255 bytes of UTF-8. */
  readonly idstr: string
  /** Where the pages lie. The block is as long as the memory, or the range of it, is now: whole pages. */
  readonly memory: Memory
  /** Where the block begins, in bytes from the start of `memory`, at any byte; default 0. */
  readonly byteOffset?: number | undefined
  /** Bytes of the block. Default: everything from `byteOffset` to the end of the memory as it is now. */
  readonly byteLength?: number | undefined
  /** Bytes in one page; 4096 by default. */
  readonly pageSize?: number | undefined
  /**
   * `true` promises that every byte is zero, as in memory that was just allocated, so that a restore need not touch zero
   * pages; `false` by default. A wrong promise leaves stale bytes behind.
   */
  readonly fresh?: boolean | undefined
}
