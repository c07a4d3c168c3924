import type { FileError } from "../../io/files/FileError.ts"
import type { PageBitmap } from "../../ram/PageBitmap.ts"
import type * as RamBlock from "../../ram/RamBlock.ts"
import { type IntegrityError } from "../Integrity.ts"
import type { ExtentChecks } from "./extentChecks.ts"

/**
 * A RAM block in an image. Its reader knows which pages are present, and never returns a byte of the others.
 *
 * @stability stable
 * @category models
 * @since 0.1.0
 */
export interface ImageBlock extends RamBlock.Readable<FileError | IntegrityError> {
  readonly reader: RamBlock.Readable<FileError | IntegrityError>["reader"] & { readonly present: PageBitmap }
  /** Compares whole extents with their checksums, as the reader does; `undefined` if there are none. @internal */
  readonly checks: ExtentChecks | undefined
  /** Absolute file offset of the block's bitmap. */
  readonly bitmapOffset: number
  /** Absolute file offset of the block's page 0. */
  readonly pagesOffset: number
  /** All pages of the block. */
  readonly pages: number
  /** Pages whose bytes are in the file; the others are zeros. */
  readonly pagesPresent: number
  /** Offset in the parent region; present only in images saved with `x-ignore-shared`. */
  readonly address: number | undefined
  /** Shared memory that was left out of the image (`x-ignore-shared`): it cannot be read or restored from the image. */
  readonly ignored: boolean
}
