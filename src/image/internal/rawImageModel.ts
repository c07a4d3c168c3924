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
 * Everything that could be made out of a file.
 *
 * @internal
 */
export interface RawImage {
  /** What is not pages is to be read from here: what has been compared with its checksum is compared with it again. */
  readonly source: VerifiedRest.Source<FileError | IntegrityError>
  readonly fileSize: number
  readonly libvirt: LibvirtSave.LibvirtSave | undefined
  /** `undefined` where libvirt's header already leads nowhere. */
  readonly stream: ImageStream.ParsedImage | undefined
  /** By `idstr`; without the blocks whose bitmap cannot be read. */
  readonly bitmaps: ReadonlyMap<string, PageBitmap.PageBitmap>
  /** `undefined` where RAM has no end. */
  readonly tail: StreamTrailer.StreamTrailer | undefined
  /** `undefined` where there is none that is of any use, or nobody wants to know. */
  readonly seal: ImageSeal.Seal | undefined
  readonly keyProblem: SealKeyError["problem"] | undefined
  readonly findings: ReadonlyArray<Finding.Finding>
}
