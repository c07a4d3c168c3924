/**
 * Checksums of images: how they are made, and what it means when they are wrong.
 *
 * @since 0.1.0
 */
import * as Runtime from "effect/Runtime"
import * as Schema from "effect/Schema"
import * as Checksum from "../format/seal/Checksum.ts"
import { LostPages } from "../format/seal/ImageNotes.ts"
import * as ImageSeal from "../format/seal/ImageSeal.ts"
import * as Options from "../ram/Options.ts"
import * as Problem from "../ram/Problem.ts"
import type { Shape } from "../ram/RamBlock.ts"

/**
 * How an image is sealed.
 *
 * @stability stable
 * @category models
 * @since 0.1.0
 */
export interface SealOptions {
  /** Default `crc32`, and `hmac-sha256` where there is a key. */
  readonly algorithm?: Checksum.Algorithm | undefined
  /** Bytes that have a digest together, a power of two from 64 KiB to 16 MiB. Default 1 MiB; at least a page. */
  readonly extentSize?: number | undefined
  /** The secret of `hmac-sha256`, at least 16 bytes: who does not have it cannot make an image that verifies. */
  readonly key?: Uint8Array | undefined
}

/**
 * How what is read is compared with its checksums.
 *
 * @stability stable
 * @category models
 * @since 0.1.0
 */
export interface VerifyOptions {
  /** Whether it is. Default `true`, where the image has checksums. */
  readonly verify?: boolean | undefined
  /** The secret that the image has to be sealed with; without it, one that is sealed with a secret is refused. */
  readonly key?: Uint8Array | undefined
}

/**
 * How an image is sealed, with everything filled in.
 *
 * @internal
 */
export interface Settings {
  readonly algorithm: Checksum.Algorithm
  readonly extentSize: number
  readonly key: Uint8Array | undefined
}

/** Below this, a key can be guessed. */
const MIN_KEY_BYTES = 16

const { maximum, minimum } = ImageSeal.extentSizes

const schema = Schema.Struct({
  algorithm: Schema.optional(
    Options.where<Checksum.Algorithm>(
      (value) => typeof value === "string" && Object.hasOwn(Checksum.algorithms, value),
      "crc32, sha256 or hmac-sha256"
    )
  ),
  extentSize: Options.where<number>(
    (size) => typeof size === "number" && ImageSeal.isExtentSize(size),
    `a power of two from ${minimum} to ${maximum} bytes`
  ).pipe(Options.withDefault(ImageSeal.DEFAULT_EXTENT_SIZE)),
  key: Schema.optional(
    Options.where<Uint8Array>(
      (key) => key instanceof Uint8Array && key.length >= MIN_KEY_BYTES,
      `at least ${MIN_KEY_BYTES} bytes`
    )
  )
})

/** @internal */
export const settings = ({ algorithm, extentSize, key }: SealOptions): Settings => ({
  algorithm: algorithm ?? (key === undefined ? "crc32" : "hmac-sha256"),
  extentSize: extentSize ?? ImageSeal.DEFAULT_EXTENT_SIZE,
  key
})

/** The same for an image of some blocks: no extent is smaller than a page. @internal */
export const forBlocks = (seal: SealOptions, blocks: ReadonlyArray<Shape>): Settings => {
  const all = settings(seal)
  return { ...all, extentSize: Math.max(all.extentSize, ...blocks.map(({ pageSize }) => pageSize)) }
}

const keyProblems = ({ algorithm, key }: Settings): ReadonlyArray<Problem.Problem> => {
  if ((algorithm === "hmac-sha256") === (key !== undefined)) return []
  return key === undefined
    ? [Problem.make(`${algorithm} needs a key`, "give one with --key-file (key)")]
    : [Problem.make(`${algorithm} takes no key`, "use hmac-sha256, or leave the key out")]
}

const optionProblems = Options.problems(schema)

/** Everything that is wrong with how an image shall be sealed. @internal */
export const problems = (seal: SealOptions | false | undefined): ReadonlyArray<Problem.Problem> =>
  seal === false || seal === undefined ? [] : [...optionProblems(seal), ...keyProblems(settings(seal))]

/**
 * Pages that are not what they were when the image was written.
 *
 * @stability stable
 * @category models
 * @since 0.1.0
 */
export const Damage = Schema.Struct({
  /** The name of the block. */
  block: Schema.String,
  /** The number of the first page in the block. */
  firstPage: Schema.Int,
  /** The number of pages that have a digest together. */
  pages: Schema.Int,
  /** Absolute position of the first page in the file. */
  position: Schema.Int,
  /** The digest that was written, in hexadecimal digits. */
  expected: Schema.String,
  /** The digest of what is there. */
  found: Schema.String
})

/**
 * @stability stable
 * @category models
 * @since 0.1.0
 */
export type Damage = typeof Damage.Type

/**
 * Bytes outside of pages that are not what they were when the image was opened.
 *
 * @stability stable
 * @category models
 * @since 0.1.0
 */
export const Changed = Schema.Struct({
  /** Absolute position of the first byte in the file. */
  position: Schema.Int,
  /** Bytes that have a digest together. */
  length: Schema.Int,
  /** Their digest when they were compared with the image's checksums, in hexadecimal digits. */
  expected: Schema.String,
  /** The digest of what is there now. */
  found: Schema.String
})

/**
 * @stability stable
 * @category models
 * @since 0.1.0
 */
export type Changed = typeof Changed.Type

const describeChanged = ({ expected, found, length, position }: Changed): string =>
  `bytes ${position} to ${position + length - 1}, which are not pages: expected digest ${expected}, found ${found}`

const describe = ({ block, expected, firstPage, found, pages, position }: Damage): string =>
  `pages ${firstPage} to ${firstPage + pages - 1} of "${block}" (at byte ${position}): expected digest ${expected}, found ${found}`

/**
 * Pages of an image do not have their checksums: bits have rotted, or somebody has changed them. Or what is not pages was
 * changed after it had been compared with its checksum: somebody writes to the file while it is read.
 *
 * **Details**
 *
 * None of these bytes was handed on. Exit code 4.
 *
 * @stability stable
 * @category errors
 * @since 0.1.0
 */
export class IntegrityError extends Schema.TaggedError<IntegrityError>()("IntegrityError", {
  path: Schema.String,
  /** In the order in which they were found; a restore stops at the first. Empty where `changed` is there. */
  damage: Schema.Array(Damage),
  /** What is not pages, and was changed meanwhile. */
  changed: Schema.optional(Changed)
}) {
  override readonly [Runtime.errorExitCode] = 4
  override get message() {
    const { changed } = this
    if (changed !== undefined) return `${this.path}: changed while it was being read: ${describeChanged(changed)}`
    const [first, ...more] = this.damage
    if (first === undefined) return `${this.path}: damaged`
    const rest = more.length === 0 ? "" : `, and ${more.length} more extents`
    return `${this.path}: damaged: ${describe(first)}${rest}`
  }
}

/**
 * Pages of an image were lost when it was recovered, and are zeros: all of it has its checksums, and yet it is not what was
 * saved.
 *
 * **Details**
 *
 * Exit code 12.
 *
 * @stability stable
 * @category errors
 * @since 0.1.0
 */
export class LostPagesError extends Schema.TaggedError<LostPagesError>()("LostPagesError", {
  path: Schema.String,
  /** How many pages of which blocks. */
  lost: Schema.NonEmptyArray(LostPages)
}) {
  override readonly [Runtime.errorExitCode] = 12
  override get message() {
    const parts = this.lost.map(({ idstr, pages }) => `${pages} pages of "${idstr}"`)
    return `${this.path}: recovered with losses: ${parts.join(", ")} were lost and are zeros`
  }
}

/**
 * The key and the image do not belong together.
 *
 * **Details**
 *
 * `missing`: the image is sealed with a key, and none was given. `not-keyed`: a key was given, and the image is not sealed
 * with any. `wrong`: it is sealed with another key, or somebody has made this seal who does not have it. Nothing was read
 * from the image but its seal. Exit code 4.
 *
 * @stability stable
 * @category errors
 * @since 0.1.0
 */
export class SealKeyError extends Schema.TaggedError<SealKeyError>()("SealKeyError", {
  path: Schema.String,
  problem: Schema.Literals(["missing", "not-keyed", "wrong"])
}) {
  override readonly [Runtime.errorExitCode] = 4
  override get message() {
    return `cannot verify ${this.path}: ${sentences[this.problem]}`
  }
}

const sentences = {
  missing: "it is sealed with a key; give that key with --key-file (--source-key-file in convert)",
  "not-keyed": "it is not sealed with a key; leave the key out, or use the image that the key belongs to",
  wrong: "its seal was made with another key; give the key that the image was sealed with"
}
