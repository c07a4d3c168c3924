import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as Finding from "../../format/Finding.ts"
import * as ImageSeal from "../../format/seal/ImageSeal.ts"
import type { ParsedImage } from "../../format/image/ImageStream.ts"
import type { FileError } from "../../io/files/FileError.ts"
import type { PositionalFile } from "../../io/files/PositionalFile.ts"
import { checkRest, corrupt } from "./readSeal.ts"

/** Bytes per read during the search for a seal. */
const WINDOW_BYTES = 1024 * 1024

const MAGIC_BYTES = 8

/** The searched part of the file. */
interface Within {
  /** The end of the stream, according to the stream. */
  readonly streamEnd: number
  /** The start of the device state: no seal comes before it. */
  readonly stateStart: number
  readonly fileSize: number
  /** `true` if the stream gives its own end. */
  readonly isWhole: boolean
}

const readHead = Effect.fnUntraced(function* (
  file: PositionalFile,
  position: number,
  fileSize: number
): Effect.fn.Return<Uint8Array, FileError> {
  const bytes = new Uint8Array(Math.min(ImageSeal.HEAD_LENGTH, fileSize - position))
  yield* file.readExtents([{ position, bytes }])
  return bytes
})

/** Bytes that are not a seal directly after some stream may be a part of the guest's device state. */
const isInPlace = (head: Uint8Array, position: number): boolean => {
  const decoded = ImageSeal.decodeHead(head, position)
  return Result.isSuccess(decoded) && ImageSeal.sealPosition(decoded.success.end) === position
}

/** The first place after RAM with a seal that fits there, whatever the stream gives as its own end. */
const search = Effect.fnUntraced(function* (
  file: PositionalFile,
  { fileSize, stateStart }: Within
): Effect.fn.Return<number | undefined, FileError> {
  const window = new Uint8Array(WINDOW_BYTES)
  for (let start = ImageSeal.sealPosition(stateStart); start < fileSize; start += WINDOW_BYTES) {
    const bytes = window.subarray(0, fileSize - start)
    yield* file.readExtents([{ position: start, bytes }])
    for (let at = 0; at + MAGIC_BYTES <= bytes.length; at += ImageSeal.ALIGNMENT) {
      if (!ImageSeal.isSeal(bytes.subarray(at, at + MAGIC_BYTES))) continue
      if (isInPlace(yield* readHead(file, start + at, fileSize), start + at)) return start + at
    }
  }
  return undefined
})

/**
 * A seal without its mark: the mark was erased, or another image was written over a sealed one, whose mark is at a
 * place that is no longer read. The search covers the data after the stream. If the stream does not give its end, it
 * covers everything after RAM, because the end itself may be damaged.
 *
 * @internal
 */
export const checkUnmarked = Effect.fnUntraced(function* (
  file: PositionalFile,
  stream: ParsedImage,
  within: Within
): Effect.fn.Return<ReadonlyArray<Finding.Finding>, FileError> {
  const { fileSize, isWhole, streamEnd } = within
  const position = isWhole ? ImageSeal.sealPosition(streamEnd) : yield* search(file, within)
  if (position === undefined || position >= fileSize) return []
  const bytes = yield* readHead(file, position, fileSize)
  if (!ImageSeal.isSeal(bytes)) return []
  const head = ImageSeal.decodeHead(bytes, position)
  const isOther =
    Result.isSuccess(head) &&
    isInPlace(bytes, position) &&
    (yield* checkRest(file, stream, head.success, fileSize)).findings.length > 0
  return [
    isOther
      ? Finding.make({
          code: "seal-stale",
          offset: position,
          expected: "nothing, or a seal of this image",
          found: "that of another one, or one whose mark is gone and whose image is damaged"
        })
      : corrupt(position, "a mark that leads to the seal", "a seal without one")
  ]
})
