/**
 * Finds all problems with an image, including its pages.
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
import { examine } from "./internal/examine.ts"
import type { Location } from "./Location.ts"

/**
 * The result of a verification.
 *
 * @stability stable
 * @category models
 * @since 0.1.0
 */
export interface Report {
  /** Everything except the pages; its `seal` is set if there were checksums to compare with. */
  readonly inspection: Image.Inspection
  /**
   * Every extent whose pages do not match their checksum, in the order of blocks and pages. If `error` is a
   * `SealMismatchError`, the checksums may belong to another image, and these pages may be fine.
   */
  readonly damage: ReadonlyArray<Integrity.Damage>
  /** The resulting error; `undefined`: the image is OK. */
  readonly error:
    ImageError.ImageError | Integrity.IntegrityError | Integrity.SealKeyError | Integrity.LostPagesError | undefined
}

/**
 * Options of verifying.
 *
 * @stability stable
 * @category models
 * @since 0.1.0
 */
export interface Options {
  /** Concurrent reads, 1 to 255. Default 3. */
  readonly channels?: number | undefined
  /** The secret that the image is sealed with. */
  readonly key?: Uint8Array | undefined
}

const byPlace = (a: Integrity.Damage, b: Integrity.Damage): number => a.position - b.position

/** If a finding already reports pages past the end of the file, this is not another problem. */
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
  yield* examine(
    sealed,
    { extentSize: seal.extentSize, channels },
    {
      damage: (found) => void damage.push(...found),
      failed: (error) => (isKnown(inspection, error) ? Effect.void : Effect.fail(error))
    }
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
 * Examines a whole image, several extents at a time, and reports all problems. Only an unreadable file is an error.
 * Without checksums the pages are not read: there is nothing to compare them with.
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
