/**
 * Checksums of images: their settings, and errors on a mismatch.
 *
 * @since 0.1.0
 */
import * as Runtime from "effect/Runtime"
import * as Schema from "effect/Schema"
import { TaggedError } from "../ram/TaggedError.ts"
import * as Checksum from "../format/seal/Checksum.ts"
import { LostPages } from "../format/seal/ImageNotes.ts"
import * as ImageSeal from "../format/seal/ImageSeal.ts"
import * as Options from "../ram/Options.ts"
import * as Problem from "../ram/Problem.ts"
import type { Shape } from "../ram/RamBlock.ts"

/**
 * Options of sealing.
 *
 * @stability stable
 * @category models
 * @since 0.1.0
 */
export interface SealOptions {
  /** Default `crc32`, or `hmac-sha256` with a key. */
  readonly algorithm?: Checksum.Algorithm | undefined
  /** Bytes that share a digest, a power of two from 64 KiB to 16 MiB. Default 1 MiB; at least a page. */
  readonly extentSize?: number | undefined
  /** The secret of `hmac-sha256`, at least 16 bytes: making an image that verifies requires it. */
  readonly key?: Uint8Array | undefined
}

/**
 * Options of verifying reads.
 *
 * @stability stable
 * @category models
 * @since 0.1.0
 */
export interface VerifyOptions {
  /** Verify reads. Default: `true` if the image is sealed. */
  readonly verify?: boolean | undefined
  /** The secret that the image is sealed with; without it, an image sealed with a secret is refused. */
  readonly key?: Uint8Array | undefined
}

/**
 * The complete settings of a seal.
 *
 * @internal
 */
export interface Settings {
  readonly algorithm: Checksum.Algorithm
  readonly extentSize: number
  readonly key: Uint8Array | undefined
}

/** A shorter key can be guessed. */
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

/** The settings for an image of some blocks: no extent is smaller than a page. @internal */
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

/** All problems with the options of a seal. @internal */
export const problems = (seal: SealOptions | false | undefined): ReadonlyArray<Problem.Problem> =>
  seal === false || seal === undefined ? [] : [...optionProblems(seal), ...keyProblems(settings(seal))]

/**
 * Pages that have changed since the image was written.
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
  /** The number of pages that share a digest. */
  pages: Schema.Int,
  /** Absolute position of the first page in the file. */
  position: Schema.Int,
  /** The digest in the seal, in hexadecimal. */
  expected: Schema.String,
  /** The digest of the current bytes. */
  found: Schema.String
})

/**
 * @stability stable
 * @category models
 * @since 0.1.0
 */
export type Damage = typeof Damage.Type

/**
 * Bytes outside of pages that have changed since the image was opened.
 *
 * @stability stable
 * @category models
 * @since 0.1.0
 */
export const Changed = Schema.Struct({
  /** Absolute position of the first byte in the file. */
  position: Schema.Int,
  /** Bytes that share a digest. */
  length: Schema.Int,
  /** Their digest when the image was opened and verified, in hexadecimal. */
  expected: Schema.String,
  /** The digest of the current bytes. */
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
 * Pages of an image do not match their checksums: bit rot, or tampering. Or data outside the pages changed after it had
 * been verified: another process writes to the file while it is read.
 *
 * **Details**
 *
 * None of these bytes was used. Exit code 4.
 *
 * @stability stable
 * @category errors
 * @since 0.1.0
 */
export class IntegrityError extends TaggedError<IntegrityError>()("IntegrityError", {
  path: Schema.String,
  /** In the order in which they were found; a restore stops at the first. Empty if `changed` is set. */
  damage: Schema.Array(Damage),
  /** Data outside the pages that changed in the meantime. */
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
 * Pages of an image were lost when it was recovered, and are zeros: every page matches its checksum, but the image
 * differs from the saved machine.
 *
 * **Details**
 *
 * Exit code 12.
 *
 * @stability stable
 * @category errors
 * @since 0.1.0
 */
export class LostPagesError extends TaggedError<LostPagesError>()("LostPagesError", {
  path: Schema.String,
  /** The number of lost pages by block. */
  lost: Schema.NonEmptyArray(LostPages)
}) {
  override readonly [Runtime.errorExitCode] = 12
  override get message() {
    const parts = this.lost.map(({ idstr, pages }) => `${pages} pages of "${idstr}"`)
    return `${this.path}: recovered with losses: ${parts.join(", ")} were lost and are zeros`
  }
}

/**
 * The key does not match the image.
 *
 * **Details**
 *
 * `missing`: the image is sealed with a key, and none was given. `not-keyed`: a key was given, and the image is sealed
 * without one. `wrong`: it is sealed with another key, or the seal was forged without the key. Only the seal was read
 * from the image. Exit code 4.
 *
 * @stability stable
 * @category errors
 * @since 0.1.0
 */
export class SealKeyError extends TaggedError<SealKeyError>()("SealKeyError", {
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
