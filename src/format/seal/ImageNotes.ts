/**
 * Notes in a seal besides its checksums: the machine, the source's sync marks, and lost pages.
 *
 * ```text
 *   {"uuid":"…","marks":"each-section","lost":[{"idstr":"pc.ram","pages":16}]}
 * ```
 *
 * JSON in UTF-8. Unknown fields are kept, and written again when an image is sealed anew.
 *
 * @since 0.1.0
 */
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import * as Problem from "../../ram/Problem.ts"
import * as Finding from "../Finding.ts"
import { decodeText } from "../internal/cursor.ts"

/**
 * Longest notes, in bytes: room for the name of every block that an image can have.
 *
 * @stability stable
 * @category constants
 * @since 0.1.0
 */
export const MAX_LENGTH: number = 1024 * 1024

/** Deepest nesting of objects: anything deeper could be read, but not written again. */
const MAX_DEPTH = 32

/**
 * A UUID as text: five groups of lower-case hexadecimal digits.
 *
 * @stability stable
 * @category schemas
 * @since 0.1.0
 */
export const Uuid = Schema.String.check(Schema.isPattern(/^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/))

/**
 * Pages of a block that are zero in the image because they could not be recovered.
 *
 * @stability stable
 * @category schemas
 * @since 0.1.0
 */
export const LostPages = Schema.Struct({
  /** The name of the block. */
  idstr: Schema.String,
  /** Number of lost pages. */
  pages: Schema.Int.check(Schema.isGreaterThanOrEqualTo(0))
})

/**
 * @stability stable
 * @category models
 * @since 0.1.0
 */
export type LostPages = typeof LostPages.Type

/**
 * The notes of an image, all of them optional.
 *
 * @stability stable
 * @category schemas
 * @since 0.1.0
 */
export const ImageNotes = Schema.Struct({
  /** The UUID of the machine, if known. */
  uuid: Schema.optional(Uuid),
  /** The multifd sync marks of a received image: each section of RAM, or each round. */
  marks: Schema.optional(Schema.Literals(["each-section", "each-round"])),
  /** The pages that could not be recovered, by block. */
  lost: Schema.optional(Schema.Array(LostPages))
})

/**
 * @stability stable
 * @category models
 * @since 0.1.0
 */
export type ImageNotes = typeof ImageNotes.Type

/**
 * No notes.
 *
 * @stability stable
 * @category constructors
 * @since 0.1.0
 */
export const empty: ImageNotes = {}

const isNotes = Schema.is(ImageNotes)

const isShallow = (value: unknown, depth = MAX_DEPTH): boolean =>
  typeof value !== "object" ||
  value === null ||
  (depth > 0 && Object.values(value).every((inner) => isShallow(inner, depth - 1)))

const parse = (text: string): unknown => {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

const utf8 = new TextEncoder()

/**
 * Encodes notes for storage; empty notes take no bytes.
 *
 * @stability stable
 * @category encoding
 * @since 0.1.0
 */
export const encode = (notes: ImageNotes): Uint8Array => {
  const text = JSON.stringify(notes)
  return text === "{}" ? new Uint8Array(0) : utf8.encode(text)
}

const EXPECTED = "notes in JSON"

/**
 * Decodes notes at `position` of their file. Fails with `seal-corrupt`.
 *
 * @stability stable
 * @category decoding
 * @since 0.1.0
 */
export const decode = (bytes: Uint8Array, position: number): Result.Result<ImageNotes, Finding.Finding> => {
  const refuse = (expected: string, found: string) =>
    Result.fail(Finding.make({ code: "seal-corrupt", offset: position, expected, found }))
  if (bytes.length === 0) return Result.succeed(empty)
  if (bytes.length > MAX_LENGTH) return refuse(`notes of at most ${MAX_LENGTH} bytes`, `${bytes.length} bytes`)
  const text = decodeText(bytes)
  if (text === undefined) return refuse(EXPECTED, "bytes that are not UTF-8")
  const value = parse(text)
  if (!isNotes(value)) return refuse(EXPECTED, value === undefined ? "another text" : "other fields")
  return isShallow(value) ? Result.succeed(value) : refuse(`notes at most ${MAX_DEPTH} levels deep`, "deeper ones")
}

/**
 * Reasons why notes cannot be written, for the caller that made them.
 *
 * @stability stable
 * @category guards
 * @since 0.1.0
 */
export const problems = (notes: ImageNotes | undefined): ReadonlyArray<Problem.Problem> => {
  if (notes === undefined) return []
  if (!isNotes(notes) || !isShallow(notes)) {
    return [Problem.make("the notes have another form", "give a canonical uuid, known marks and lost pages by block")]
  }
  const { length } = encode(notes)
  return length <= MAX_LENGTH ? [] : [Problem.make(`the notes take ${length} bytes`, `use at most ${MAX_LENGTH}`)]
}

/**
 * Reasons why an image cannot be used as complete: a sentence for each block with lost pages.
 *
 * @stability stable
 * @category guards
 * @since 0.1.0
 */
export const lossProblems = ({ lost = [] }: ImageNotes, path: string): ReadonlyArray<Problem.Problem> =>
  lost
    .filter(({ pages }) => pages > 0)
    .map(({ idstr, pages }) =>
      Problem.make(
        `${pages} pages of the RAM block "${idstr}" in ${path} were lost and are zeros`,
        "continue without them with --allow-lost (allowLost)"
      )
    )
