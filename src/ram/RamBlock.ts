/**
 * A RAM block: a named contiguous region of guest RAM.
 *
 * @since 0.1.0
 */
import type { PageReader } from "./PageReader.ts"
import type { PageWriter } from "./PageWriter.ts"

/**
 * What names a RAM block and gives its shape.
 *
 * @category models
 * @since 0.1.0
 */
export interface Shape {
  /** QEMU's name of the block, such as `pc.ram` or `/rom@etc/acpi/tables`: 1 to 255 bytes of UTF-8. */
  readonly idstr: string
  /** Bytes in use, a multiple of `pageSize`, below 2^53. */
  readonly usedLength: number
  /** Bytes in one page, the unit of the bitmap: a power of two, 4096 on x86. */
  readonly pageSize: number
}

/**
 * A RAM block whose pages can be read: the source of a save.
 *
 * @category models
 * @since 0.1.0
 */
export interface Readable<out E = never> extends Shape {
  readonly reader: PageReader<E>
}

/**
 * A RAM block whose pages can be written: the target of a restore.
 *
 * @category models
 * @since 0.1.0
 */
export interface Writable<out E = never> extends Shape {
  readonly writer: PageWriter<E>
}

/**
 * A RAM block whose pages can be read and written.
 *
 * @category models
 * @since 0.1.0
 */
export interface RamBlock<out E = never> extends Readable<E>, Writable<E> {}

/**
 * The number of pages of a block.
 *
 * @category getters
 * @since 0.1.0
 */
export const pageCount = (shape: Shape): number => shape.usedLength / shape.pageSize
