import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import { timingSafeEqual } from "node:crypto"
import * as Finding from "../../format/Finding.ts"
import * as ImageSeal from "../../format/seal/ImageSeal.ts"
import type { ParsedImage } from "../../format/image/ImageStream.ts"
import * as PartialSeal from "../../format/seal/PartialSeal.ts"
import * as SealMark from "../../format/seal/SealMark.ts"
import type { FileError } from "../../io/files/FileError.ts"
import type { PositionalFile } from "../../io/files/PositionalFile.ts"
import type { VerifyOptions } from "../Integrity.ts"
import type { SealContents } from "./readSealModel.ts"

export { checkRest, type RestCheck, restIsOther, type SealContents } from "./readSealModel.ts"

/**
 * The file, and options of reading its seal.
 *
 * @internal
 */
export type ReadOptions = VerifyOptions & {
  readonly fileSize: number
  /** `true` for an unfinished save, which may have a seal of the pages written so far. Default `false`. */
  readonly partial?: boolean | undefined
}

/** @internal */
export const corrupt = (offset: number, expected: string, found: string): Finding.Finding =>
  Finding.make({ code: "seal-corrupt", offset, expected, found })

const unsealed = (limit: number, findings: ReadonlyArray<Finding.Finding> = []): SealContents => ({
  seal: undefined,
  limit,
  keyProblem: undefined,
  findings
})

/** Shorter than a mark if the file is known to end there; an earlier end is an error rather than a missing mark. */
const readMark = (file: PositionalFile, position: number, fileSize: number): Effect.Effect<Uint8Array, FileError> => {
  const bytes = new Uint8Array(Math.min(SealMark.LENGTH, Math.max(0, fileSize - position)))
  return Effect.as(file.readExtents([{ position, bytes }]), bytes)
}

/**
 * Looks for the mark of a seal, and reads the seal that it leads to. With `verify: false`, only the end of the stream
 * is taken from it.
 *
 * @internal
 */
export const readSeal = Effect.fnUntraced(function* (
  file: PositionalFile,
  { blocks }: ParsedImage,
  options: ReadOptions
): Effect.fn.Return<SealContents, FileError> {
  const { fileSize, key, partial = false, verify = true } = options
  const states = partial ? ["sealed", "partial"] : ["sealed"]
  const notKeyed = verify && key !== undefined ? ("not-keyed" as const) : undefined
  const position = SealMark.position(blocks)
  if (position === undefined) return { ...unsealed(fileSize), keyProblem: notKeyed }
  const decoded = SealMark.decode(yield* readMark(file, position, fileSize), position)
  if (Result.isFailure(decoded)) return unsealed(fileSize, verify ? [decoded.failure] : [])
  const mark = decoded.success
  if (mark === undefined) return { ...unsealed(fileSize), keyProblem: notKeyed }
  if (!verify) return unsealed(Math.min(fileSize, mark.seal.position))
  if (!states.includes(mark.state)) {
    return { ...unsealed(mark.seal.position, [unfinished(position)]), keyProblem: notKeyed }
  }
  return yield* readMarked(file, mark, { fileSize, key })
})

const unfinished = (offset: number): Finding.Finding =>
  Finding.make({ code: "seal-unfinished", offset, expected: "the mark of a whole seal", found: "that of one begun" })

const readMarked = Effect.fnUntraced(function* (
  file: PositionalFile,
  mark: SealMark.SealMark,
  { fileSize, key }: { readonly fileSize: number; readonly key: Uint8Array | undefined }
): Effect.fn.Return<SealContents, FileError> {
  const { algorithm, digest } = mark
  const { length, position } = mark.seal
  const limit = Math.min(fileSize, position)
  if (position + length > fileSize) {
    const expected = `a seal from ${position} to ${position + length}`
    const found = `the end of the file at ${fileSize}: ${position + length - fileSize} bytes are missing`
    return unsealed(limit, [Finding.make({ code: "seal-cut", offset: position, expected, found })])
  }
  const bytes = new Uint8Array(length)
  yield* file.readExtents([{ position, bytes }])
  const isKeyed = algorithm === "hmac-sha256"
  const isChecked = !isKeyed || key !== undefined
  const isRight = isChecked && timingSafeEqual(SealMark.digestOf(mark, bytes, isKeyed ? key : undefined), digest)
  if (isChecked && !isRight && !isKeyed) {
    return unsealed(limit, [corrupt(position, "the seal that its mark was made for", "another digest")])
  }
  const keyProblem = keyProblemOf({ isKeyed, isRight, key })
  if (mark.state === "partial") return partialSeal(bytes, position, { fileSize, keyProblem })
  const decoded = ImageSeal.decode(bytes, position)
  if (Result.isFailure(decoded)) return unsealed(limit, [decoded.failure])
  const seal = decoded.success
  return ImageSeal.sealPosition(seal.end) === position
    ? { seal, limit: seal.end, keyProblem, findings: [] }
    : unsealed(limit, [corrupt(position, "a seal directly after its stream", `a stream that ends at ${seal.end}`)])
})

/** It precedes the pages, and does not have the end of the stream. */
const partialSeal = (
  bytes: Uint8Array,
  position: number,
  { fileSize, keyProblem }: Pick<SealContents, "keyProblem"> & { readonly fileSize: number }
): SealContents => {
  const decoded = PartialSeal.decode(bytes, position)
  if (Result.isFailure(decoded)) return unsealed(fileSize, [decoded.failure])
  const { bitmaps, seal } = decoded.success
  const byName = new Map(seal.blocks.map(({ idstr }, index) => [idstr, bitmaps[index]!] as const))
  return { seal, limit: fileSize, keyProblem, findings: [], bitmaps: { bitmaps: byName, findings: [] } }
}

const keyProblemOf = (options: {
  readonly isKeyed: boolean
  readonly isRight: boolean
  readonly key: Uint8Array | undefined
}): SealContents["keyProblem"] => {
  const { isKeyed, isRight, key } = options
  if (!isKeyed) return key === undefined ? undefined : "not-keyed"
  if (key === undefined) return "missing"
  return isRight ? undefined : "wrong"
}
