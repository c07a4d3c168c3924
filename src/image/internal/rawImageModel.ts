import type * as Finding from "../../format/Finding.ts"
import type * as ImageSeal from "../../format/seal/ImageSeal.ts"
import type * as ImageStream from "../../format/image/ImageStream.ts"
import type * as LibvirtSave from "../../format/image/LibvirtSave.ts"
import type * as StreamTrailer from "../../format/image/StreamTrailer.ts"
import type { FileError } from "../../io/files/FileError.ts"
import type * as PageBitmap from "../../ram/PageBitmap.ts"
import type { IntegrityError, SealKeyError } from "../Integrity.ts"
import type * as VerifiedRest from "./verifiedRest.ts"

/**
 * Everything read from a file.
 *
 * @internal
 */
export interface RawImage {
  /** The source for reading data outside the pages: verified data is verified again. */
  readonly source: VerifiedRest.Source<FileError | IntegrityError>
  readonly fileSize: number
  readonly libvirt: LibvirtSave.LibvirtSave | undefined
  /** `undefined` if libvirt's header already leads nowhere. */
  readonly stream: ImageStream.ParsedImage | undefined
  /** By `idstr`; without the blocks whose bitmap cannot be read. */
  readonly bitmaps: ReadonlyMap<string, PageBitmap.PageBitmap>
  /** `undefined` if RAM has no end. */
  readonly trailer: StreamTrailer.StreamTrailer | undefined
  /** `undefined` if there is no usable seal, or with `verify: false`. */
  readonly seal: ImageSeal.Seal | undefined
  readonly keyProblem: SealKeyError["problem"] | undefined
  readonly findings: ReadonlyArray<Finding.Finding>
}
