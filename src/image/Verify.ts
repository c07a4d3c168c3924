/**
 * Everything that can be wrong with an image, its pages included.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { FileError } from "../io/files/FileError.ts"
import * as PipelineOptions from "../transfer/PipelineOptions.ts"
import * as Image from "./Image.ts"
import * as ImageError from "./ImageError.ts"
import * as Integrity from "./Integrity.ts"
import { forEachRange } from "../snapshot/ReadRanges.ts"
import type { Location } from "./Location.ts"

/**
 * What came out.
 *
 * @stability stable
 * @category models
 * @since 0.1.0
 */
export interface Report {
  /** Everything but the pages; its `seal` says whether there were checksums to compare with. */
  readonly inspection: Image.Inspection
  /**
   * Every extent whose pages do not match their checksum, in the order of the blocks and pages. Where `error` is a
   * `SealMismatchError`, the checksums may be another image's, and these pages sound.
   */
  readonly damage: ReadonlyArray<Integrity.Damage>
  /** The error that all of it amounts to; `undefined`: nothing is wrong. */
  readonly error:
    ImageError.ImageError | Integrity.IntegrityError | Integrity.SealKeyError | Integrity.LostPagesError | undefined
}

/**
 * How to verify.
 *
 * @stability stable
 * @category models
 * @since 0.1.0
 */
export interface Options {
  /** Reads under way at the same time, 1 to 255. Default 3. */
  readonly channels?: number | undefined
  /** The secret that the image has to be sealed with. */
  readonly key?: Uint8Array | undefined
}

const byPlace = (a: Integrity.Damage, b: Integrity.Damage): number => a.position - b.position

/** Where the findings say already that pages lie behind the end of the file, that is no other problem. */
const isKnown = ({ findings, path }: Image.Inspection, error: FileError): boolean =>
  error._tag === "UnexpectedEndOfFileError" && ImageError.fromFindings(path, findings) !== undefined

const readAll = Effect.fnUntraced(function* (
  inspection: Image.Inspection,
  channels: number
): Effect.fn.Return<ReadonlyArray<Integrity.Damage>, FileError> {
  const { blocks, seal } = inspection
  const damage: Array<Integrity.Damage> = []
  if (seal === undefined) return damage
  const sealed = blocks.filter(({ checks }) => checks !== undefined)
  yield* forEachRange(sealed, { unit: seal.extentSize, channels }, (_, read) =>
    Effect.asVoid(read).pipe(
      Effect.catch((error) => {
        if (error._tag !== "IntegrityError") return isKnown(inspection, error) ? Effect.void : Effect.fail(error)
        damage.push(...error.damage)
        return Effect.void
      })
    )
  )
  return damage.toSorted(byPlace)
})

const errorOf = (
  { findings, keyProblem, notes, path }: Image.Inspection,
  [first, ...rest]: ReadonlyArray<Integrity.Damage>
): Report["error"] => {
  const error = ImageError.fromFindings(path, findings)
  if (error !== undefined) return error
  if (keyProblem !== undefined) return new Integrity.SealKeyError({ path, problem: keyProblem })
  if (first !== undefined) return new Integrity.IntegrityError({ path, damage: [first, ...rest] })
  const [lost, ...more] = (notes.lost ?? []).filter(({ pages }) => pages > 0)
  return lost === undefined ? undefined : new Integrity.LostPagesError({ path, lost: [lost, ...more] })
}

/**
 * Looks at all of an image, several extents at a time, and says everything that is wrong. Only what cannot be read at all
 * is an error. Of an image without checksums the pages are not read: there is nothing to compare them with.
 *
 * **Example** (A nightly check)
 *
 * ```ts
 * import * as Effect from "effect/Effect"
 * import { Image } from "effect-multifd"
 *
 * export const isWhole = (path: string) =>
 *   Effect.scoped(Effect.map(Image.verify(path), ({ error }) => error === undefined))
 * ```
 *
 * @stability stable
 * @category running
 * @since 0.1.0
 */
export const run = Effect.fn("Verify.run")(function* (
  location: string | Location,
  options: Options = {}
): Effect.fn.Return<Report, FileError | PipelineOptions.PipelineOptionsError, Scope.Scope> {
  const { channels } = yield* PipelineOptions.make({ channels: options.channels })
  const inspection = yield* Image.inspect(location, { key: options.key })
  const damage = yield* readAll(inspection, channels)
  return { inspection, damage, error: errorOf(inspection, damage) }
})
