/**
 * Adds checksums to an image.
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
 * Options of sealing.
 *
 * @stability stable
 * @category models
 * @since 0.1.0
 */
export interface Options extends Integrity.SealOptions {
  /** Concurrent reads, 1 to 255. Default 3. */
  readonly channels?: number | undefined
}

/**
 * Adds checksums to an image by QEMU or libvirt, or replaces those of an image, in place: nothing is written where a
 * loader reads.
 *
 * ```text
 *   read everything ──▶ mark: sealing ──▶ fdatasync ──▶ seal ──▶ fdatasync ──▶ mark: sealed ──▶ fdatasync
 * ```
 *
 * **Details**
 *
 * The seal covers the current content of the file; it cannot prove that this is the saved machine. Nothing else may
 * write to the file in the meantime. Fails with `MigrationRequestError` if the file has other data after the stream, or
 * no room for a mark.
 *
 * **Failure effect**: after any interruption, even a power cut, the image loads as before; it has no checksums, the old
 * ones, or the new ones.
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
