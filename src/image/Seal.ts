/**
 * Checksums for an image that has none.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import type { FileError } from "../io/files/FileError.ts"
import type { PipelineOptionsError } from "../transfer/PipelineOptions.ts"
import type { ImageError } from "./ImageError.ts"
import type * as Integrity from "./Integrity.ts"
import { sealInPlace } from "./internal/sealInPlace.ts"
import * as Location from "./Location.ts"
import type { MigrationRequestError } from "../snapshot/MigrationRequestError.ts"

/**
 * How to seal.
 *
 * @stability stable
 * @category models
 * @since 0.1.0
 */
export interface Options extends Integrity.SealOptions {
  /** Reads under way at the same time, 1 to 255. Default 3. */
  readonly channels?: number | undefined
}

/**
 * Adds checksums to an image of QEMU or libvirt, or makes those of an image anew, in place: nothing is written to where a
 * loader looks.
 *
 * ```text
 *   read everything ──▶ mark: sealing ──▶ fdatasync ──▶ seal ──▶ fdatasync ──▶ mark: sealed ──▶ fdatasync
 * ```
 *
 * **Details**
 *
 * What is sealed is what is in the file now: that it is what was saved, nobody can tell. Nobody may write to it meanwhile.
 * Refused with `MigrationRequestError` where somebody else's bytes lie behind the stream, or there is no room for a mark.
 *
 * **Failure effect**: whenever it is interrupted, be it by a power cut, the image loads as before; it has no checksums, the
 * old ones, or the new ones.
 *
 * @stability stable
 * @category running
 * @since 0.1.0
 */
export const run = Effect.fn("Seal.run")(function* (
  location: string | Location.Location,
  options: Options = {}
): Effect.fn.Return<void, ImageError | FileError | MigrationRequestError | PipelineOptionsError> {
  yield* Effect.scoped(sealInPlace(Location.make(location), options))
})
