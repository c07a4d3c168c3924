/**
 * A RAM block: a named contiguous region of guest RAM.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Runtime from "effect/Runtime"
import * as Schema from "effect/Schema"
import { Buffer } from "node:buffer"
import { TaggedError } from "./TaggedError.ts"
import type { PageReader } from "./PageReader.ts"
import type { PageWriter } from "./PageWriter.ts"

/**
 * Name and shape of a RAM block.
 *
 * @stability stable
 * @category models
 * @since 0.1.0
 */
export interface Shape {
  /** QEMU's name of the block, such as `pc.ram` or `/rom@etc/acpi/tables`: 1 to 255 bytes of UTF-8, no NUL. */
  readonly idstr: string
  /** Bytes in use, a multiple of `pageSize`, below 2^53. */
  readonly usedLength: number
  /** Bytes in one page, the unit of the bitmap: a power of two from 1 KiB to 1 MiB, 4096 on x86. */
  readonly pageSize: number
}

/**
 * The range of a file or device that holds a block's bytes. It shows that two blocks, or a block and an image, overlap,
 * whatever their names.
 *
 * @stability stable
 * @category models
 * @since 0.1.0
 */
export interface Storage {
  /** Identifies the file, as `FileIdentity.key` does: equal for the same file, different for different files. */
  readonly file: string
  /** The path by which it was opened. */
  readonly path: string
  /** Byte offset of the block's first byte in the file. */
  readonly start: number
  /** Byte offset of the end of the block in the file. */
  readonly end: number
}

/**
 * The known storage of a block's bytes.
 *
 * @stability stable
 * @category models
 * @since 0.1.0
 */
export interface Stored {
  /** `undefined`: no file, or unknown. Default: `undefined`. */
  readonly storage?: Storage | undefined
}

/**
 * A RAM block whose pages can be read: the source of a save.
 *
 * @stability stable
 * @category models
 * @since 0.1.0
 */
export interface Readable<out E = never> extends Shape, Stored {
  readonly reader: PageReader<E>
}

/**
 * A RAM block whose pages can be written: the target of a restore.
 *
 * @stability stable
 * @category models
 * @since 0.1.0
 */
export interface Writable<out E = never> extends Shape, Stored {
  readonly writer: PageWriter<E>
}

/**
 * A RAM block whose pages can be read and written.
 *
 * @stability stable
 * @category models
 * @since 0.1.0
 */
export interface RamBlock<out E = never> extends Readable<E>, Writable<E> {}

/**
 * A block that no migration can carry. Nothing was read or written; the caller must correct the block.
 *
 * @stability stable
 * @category errors
 * @since 0.1.0
 */
export class RamBlockError extends TaggedError<RamBlockError>()("RamBlockError", {
  /** The name of the block, as it was given. */
  idstr: Schema.String,
  /** The property that is wrong: the name, the length, the page size, the memory, or the range of the memory. */
  property: Schema.Literals(["idstr", "usedLength", "pageSize", "memory", "byteOffset", "byteLength"]),
  /** The valid values. */
  expected: Schema.String,
  /** The given value. */
  found: Schema.String
}) {
  /** The exit code of the command: wrong usage. */
  override readonly [Runtime.errorExitCode] = 2

  override get message(): string {
    return `RAM block ${JSON.stringify(this.idstr)}: ${this.property} must be ${this.expected}, found ${this.found}`
  }
}

/**
 * The longest name of a block, in bytes of UTF-8: the migration stream has one byte for its length.
 *
 * @stability stable
 * @category constants
 * @since 0.1.0
 */
export const maxIdstrLength: number = 255

/**
 * The page size of a block that does not say otherwise: the target page of x86.
 *
 * @stability stable
 * @category constants
 * @since 0.1.0
 */
export const defaultPageSize: number = 4096

/**
 * The smallest page. The migration stream keeps flags in the low ten bits of page-aligned numbers.
 *
 * @stability stable
 * @category constants
 * @since 0.1.0
 */
export const minPageSize: number = 1024

/**
 * The largest page. Regions of a mapped-ram file begin at multiples of 1 MiB and must be page aligned.
 *
 * @stability stable
 * @category constants
 * @since 0.1.0
 */
export const maxPageSize: number = 1024 * 1024

/**
 * Returns a shape that a migration can carry, or fails with the first problem, wrong types included.
 *
 * @stability stable
 * @category validation
 * @since 0.1.0
 */
export const validate = <A extends Shape>(shape: A): Effect.Effect<A, RamBlockError> => {
  const error = checkObject(shape) ?? checkIdstr(shape) ?? checkPageSize(shape) ?? checkUsedLength(shape)
  return error === undefined ? Effect.succeed(shape) : Effect.fail(error)
}

/** Guards against callers without types. */
const checkObject = (shape: unknown): RamBlockError | undefined =>
  typeof shape === "object" && shape !== null
    ? undefined
    : new RamBlockError({
        idstr: "",
        property: "idstr",
        expected: "that of a RAM block",
        found: `${String(shape)} instead`
      })

const checkIdstr = (shape: Shape): RamBlockError | undefined => {
  const { idstr } = shape
  if (typeof idstr !== "string") return wrong(shape, "idstr", "a string", String(idstr))
  const length = Buffer.byteLength(idstr)
  if (length < 1 || length > maxIdstrLength) {
    return wrong(shape, "idstr", `1 to ${maxIdstrLength} bytes of UTF-8`, `${length} bytes`)
  }
  // Half a surrogate pair would come back as U+FFFD, and QEMU's names are C strings.
  if (!idstr.isWellFormed()) return wrong(shape, "idstr", "well-formed Unicode", "half a surrogate pair")
  if (idstr.includes("\0")) return wrong(shape, "idstr", "free of NUL characters", "one")
  return undefined
}

const checkPageSize = (shape: Shape): RamBlockError | undefined => {
  const { pageSize } = shape
  const isInside = Number.isSafeInteger(pageSize) && pageSize >= minPageSize && pageSize <= maxPageSize
  if (isInside && Number.isInteger(Math.log2(pageSize))) return undefined
  return wrong(shape, "pageSize", `a power of two from ${minPageSize} to ${maxPageSize} bytes`, `${pageSize} bytes`)
}

const checkUsedLength = (shape: Shape): RamBlockError | undefined => {
  const { pageSize, usedLength } = shape
  if (Number.isSafeInteger(usedLength) && usedLength > 0 && usedLength % pageSize === 0) return undefined
  return wrong(shape, "usedLength", `a positive multiple of the ${pageSize} bytes of a page`, `${usedLength} bytes`)
}

const wrong = (shape: Shape, property: RamBlockError["property"], expected: string, found: string): RamBlockError =>
  new RamBlockError({ idstr: String(shape.idstr), property, expected, found })

/**
 * The number of pages of a block.
 *
 * @stability stable
 * @category getters
 * @since 0.1.0
 */
export const pageCount = (shape: Shape): number => shape.usedLength / shape.pageSize
