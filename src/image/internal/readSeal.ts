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
import * as Invariant from "../../ram/Invariant.ts"
import type { VerifyOptions } from "../Integrity.ts"
import type { SealState, Unsealed } from "./readSealModel.ts"

export { checkRest, limitOf, type RestCheck, restIsOther, sealOf, type SealState } from "./readSealModel.ts"

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

const unsealed = (
  limit: number,
  { findings = [], keyProblem }: Partial<Pick<Unsealed, "findings" | "keyProblem">> = {}
): Unsealed => ({ _tag: "Unsealed", limit, findings, keyProblem })

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
): Effect.fn.Return<SealState, FileError> {
  const { fileSize, key, partial = false, verify = true } = options
  const states = partial ? ["sealed", "partial"] : ["sealed"]
  const keyProblem = verify && key !== undefined ? "not-keyed" : undefined
  const position = SealMark.position(blocks)
  if (position === undefined) return unsealed(fileSize, { keyProblem })
  const decoded = SealMark.decode(yield* readMark(file, position, fileSize), position)
  if (Result.isFailure(decoded)) return unsealed(fileSize, { findings: verify ? [decoded.failure] : [] })
  const mark = decoded.success
  if (mark === undefined) return unsealed(fileSize, { keyProblem })
  if (!verify) return unsealed(Math.min(fileSize, mark.seal.position))
  if (!states.includes(mark.state)) {
    return unsealed(mark.seal.position, { findings: [unfinished(position)], keyProblem })
  }
  return yield* readMarked(file, mark, { fileSize, key })
})

const unfinished = (offset: number): Finding.Finding =>
  Finding.make({ code: "seal-unfinished", offset, expected: "the mark of a complete seal", found: "that of one begun" })

const readMarked = Effect.fnUntraced(function* (
  file: PositionalFile,
  mark: SealMark.SealMark,
  { fileSize, key }: { readonly fileSize: number; readonly key: Uint8Array | undefined }
): Effect.fn.Return<SealState, FileError> {
  const { length, position } = mark.seal
  const limit = Math.min(fileSize, position)
  if (position + length > fileSize) {
    const expected = `a seal from ${position} to ${position + length}`
    const found = `the end of the file at ${fileSize}: ${position + length - fileSize} bytes are missing`
    return unsealed(limit, { findings: [Finding.make({ code: "seal-cut", offset: position, expected, found })] })
  }
  const bytes = new Uint8Array(length)
  yield* file.readExtents([{ position, bytes }])
  const agreement = agreementOf(mark, bytes, key)
  if (agreement === "other-digest") {
    return unsealed(limit, { findings: [corrupt(position, "the seal that its mark was made for", "another digest")] })
  }
  const keyProblem = agreement === "right" ? undefined : agreement
  return mark.state === "partial"
    ? decodePartial(bytes, position, { fileSize, keyProblem })
    : decode(bytes, position, { limit, keyProblem })
})

const decode = (
  bytes: Uint8Array,
  position: number,
  { keyProblem, limit }: Pick<Unsealed, "keyProblem" | "limit">
): SealState => {
  const decoded = ImageSeal.decode(bytes, position)
  if (Result.isFailure(decoded)) return unsealed(limit, { findings: [decoded.failure] })
  const seal = decoded.success
  if (ImageSeal.sealPosition(seal.end) === position) return { _tag: "Sealed", seal, keyProblem }
  const found = `a stream that ends at ${seal.end}`
  return unsealed(limit, { findings: [corrupt(position, "a seal directly after its stream", found)] })
}

const decodePartial = (
  bytes: Uint8Array,
  position: number,
  { fileSize, keyProblem }: Pick<Unsealed, "keyProblem"> & { readonly fileSize: number }
): SealState => {
  const decoded = PartialSeal.decode(bytes, position)
  if (Result.isFailure(decoded)) return unsealed(fileSize, { findings: [decoded.failure] })
  const { bitmaps, seal } = decoded.success
  const bitmapOf = (index: number) => Invariant.defined(bitmaps[index], "a partial seal has a bitmap for each block")
  const byName = new Map(seal.blocks.map(({ idstr }, index) => [idstr, bitmapOf(index)] as const))
  return { _tag: "Partial", seal, keyProblem, bitmaps: byName }
}

/** Checks that a seal belongs to its mark and matches the caller's key. */
const agreementOf = (
  mark: SealMark.SealMark,
  bytes: Uint8Array,
  key: Uint8Array | undefined
): "right" | "other-digest" | NonNullable<Unsealed["keyProblem"]> => {
  const isRight = (by: Uint8Array | undefined) => timingSafeEqual(SealMark.digestOf(mark, bytes, by), mark.digest)
  if (mark.algorithm === "hmac-sha256") {
    if (key === undefined) return "missing"
    return isRight(key) ? "right" : "wrong"
  }
  if (!isRight(undefined)) return "other-digest"
  return key === undefined ? "right" : "not-keyed"
}
