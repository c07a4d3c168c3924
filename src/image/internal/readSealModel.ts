import * as Effect from "effect/Effect"
import { Buffer } from "node:buffer"
import * as Finding from "../../format/Finding.ts"
import * as ImageSeal from "../../format/seal/ImageSeal.ts"
import type { ParsedImage } from "../../format/image/ImageStream.ts"
import type { FileError } from "../../io/files/FileError.ts"
import type { PositionalFile } from "../../io/files/PositionalFile.ts"
import type { SealKeyError } from "../Integrity.ts"
import type { RawImage } from "./rawImageModel.ts"
import { digestRest } from "./digestRest.ts"
import type { VerifiedRest } from "./verifiedRest.ts"

/**
 * The facts about an image's seal.
 *
 * @internal
 */
export interface SealContents {
  /** `undefined` if there is no usable seal. */
  readonly seal: ImageSeal.Seal | undefined
  /** The latest possible end of the stream. */
  readonly limit: number
  readonly keyProblem: SealKeyError["problem"] | undefined
  readonly findings: ReadonlyArray<Finding.Finding>
  /** For an unfinished save: the pages that its seal covers, by `idstr`. */
  readonly bitmaps?: Pick<RawImage, "bitmaps" | "findings"> | undefined
}

/**
 * The result of comparing everything except pages with its checksum.
 *
 * @internal
 */
export interface RestCheck {
  readonly findings: ReadonlyArray<Finding.Finding>
  /** Set if it matches the seal. */
  readonly verified?: VerifiedRest | undefined
}

/** @internal */
export const restIsOther = (offset: number, expected: string, found: string): Finding.Finding =>
  Finding.make({ code: "stream-checksum-wrong", offset, expected, found })

/**
 * Compares everything except pages with its checksum. A file that is too short for it has been detected before.
 *
 * @internal
 */
export const checkRest = Effect.fnUntraced(function* (
  file: PositionalFile,
  { blocks }: ParsedImage,
  seal: Pick<ImageSeal.Seal, "algorithm" | "start" | "end" | "rest">,
  fileSize: number
): Effect.fn.Return<RestCheck, FileError> {
  const { algorithm, end, start } = seal
  const ranges = ImageSeal.restOf({ start, end, blocks })
  if (ranges.some(({ length, position }) => position + length > fileSize)) return { findings: [] }
  const digests: Array<Uint8Array> = []
  const found = yield* digestRest(file, ranges, { algorithm, digests })
  if (Buffer.compare(found, seal.rest) === 0) return { findings: [], verified: { algorithm, ranges, digests } }
  const [expected, actual] = [seal.rest, found].map((digest) => Buffer.from(digest).toString("hex"))
  return { findings: [restIsOther(start, expected!, actual!)] }
})
