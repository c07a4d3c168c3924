import * as Effect from "effect/Effect"
import { Buffer } from "node:buffer"
import * as Hex from "effect/encoding/Hex"
import * as Finding from "../../format/Finding.ts"
import * as ImageSeal from "../../format/seal/ImageSeal.ts"
import type { ParsedImage } from "../../format/image/ImageStream.ts"
import type { FileError } from "../../io/files/FileError.ts"
import type { PositionalFile } from "../../io/files/PositionalFile.ts"
import type { SealKeyError } from "../Integrity.ts"
import type { RawImage } from "./rawImageModel.ts"
import { digestRest } from "./digestRest.ts"
import type { VerifiedRest } from "./verifiedRest.ts"

interface Keyed {
  /** A disagreement about the key, which keeps the image from being opened. */
  readonly keyProblem: SealKeyError["problem"] | undefined
}

/**
 * No usable seal: there is none, it is damaged, or it is not read (`verify: false`).
 *
 * @internal
 */
export interface Unsealed extends Keyed {
  readonly _tag: "Unsealed"
  /** The latest possible end of the stream. */
  readonly limit: number
  readonly findings: ReadonlyArray<Finding.Finding>
}

/**
 * The seal of an unfinished save. It precedes the pages, and does not have the end of the stream.
 *
 * @internal
 */
export interface Partial extends Keyed {
  readonly _tag: "Partial"
  readonly seal: ImageSeal.Seal
  /** The pages that it covers, by `idstr`. */
  readonly bitmaps: RawImage["bitmaps"]
}

/**
 * The seal of a complete image, which ends where its stream does.
 *
 * @internal
 */
export interface Sealed extends Keyed {
  readonly _tag: "Sealed"
  readonly seal: ImageSeal.Seal
}

/**
 * The state of an image's seal.
 *
 * @internal
 */
export type SealState = Unsealed | Partial | Sealed

/**
 * The usable seal, if there is one.
 *
 * @internal
 */
export const sealOf = (state: SealState): ImageSeal.Seal | undefined =>
  state._tag === "Unsealed" ? undefined : state.seal

/**
 * The latest possible end of the stream.
 *
 * @internal
 */
export const limitOf = (state: SealState, fileSize: number): number => {
  switch (state._tag) {
    case "Unsealed":
      return state.limit
    case "Partial":
      return fileSize
    case "Sealed":
      return state.seal.end
  }
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
  return { findings: [restIsOther(start, Hex.encode(seal.rest), Hex.encode(found))] }
})
