import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as Invariant from "../../ram/Invariant.ts"
import { isDeepStrictEqual } from "node:util"
import * as Finding from "../../format/Finding.ts"
import * as ImageChecks from "../../format/image/ImageChecks.ts"
import * as ImageStream from "../../format/image/ImageStream.ts"
import * as LibvirtSave from "../../format/image/LibvirtSave.ts"
import * as MappedRam from "../../format/image/MappedRam.ts"
import type { FileError } from "../../io/files/FileError.ts"
import type { PositionalFile } from "../../io/files/PositionalFile.ts"
import * as PageBitmap from "../../ram/PageBitmap.ts"
import * as RamBlock from "../../ram/RamBlock.ts"
import { checkUnmarked } from "./lostMark.ts"
import { type ReadOptions, readSeal, restIsOther } from "./readSeal.ts"
import { parse as parseTail, readTrailer } from "./readTrailer.ts"
import * as VerifiedRest from "./verifiedRest.ts"
import * as ByteSource from "../../snapshot/ByteSource.ts"
import type { RawImage } from "./rawImageModel.ts"

export type { RawImage } from "./rawImageModel.ts"

/**
 * Bitmaps are held in memory, one bit for each page of 4 KiB: 512 MiB are enough for 16 TiB of RAM, more than QEMU's
 * largest machines have. A file that requires more is refused before any memory is allocated.
 */
const MAX_BITMAP_BYTES = 512 * 1024 * 1024

const LIBVIRT_MAGIC_BYTES = 16

/**
 * Reads all of an image except its pages, and records the problems.
 *
 * ```text
 *   file ──▶ stream, seal, tail ──▶ digest of everything but pages ──▶ right? all of it once more, against the digests
 *                                        └ a digest of each piece       of its pieces; and so is whatever is read later
 * ```
 *
 * Only verified data is used, even if the file is written to in the meantime.
 *
 * @internal
 */
export const readImage = Effect.fnUntraced(function* (
  file: PositionalFile,
  offset: number,
  options: ReadOptions
): Effect.fn.Return<RawImage, FileError> {
  const first = yield* readOnce(file, offset, options)
  if (first.verified === undefined || first.seal === undefined || first.stream === undefined) return first
  const source = VerifiedRest.view(file, first.verified)
  const { bitmaps, libvirt, stream, trailer } = first
  const isSame = yield* readAgain(source, first, first.seal.end).pipe(
    Effect.map((again) => isDeepStrictEqual(again, { libvirt, stream, trailer, bitmaps })),
    Effect.catchTag("IntegrityError", () => Effect.succeed(false))
  )
  return isSame ? { ...first, source } : { ...first, findings: [...first.findings, changedMeanwhile(first.seal.start)] }
})

/** @internal */
export const changedMeanwhile = (offset: number): Finding.Finding =>
  restIsOther(offset, "the same bytes each time they are read", "others a moment later")

/** Reads again the data that matches its checksum. */
const readAgain = Effect.fnUntraced(function* <E>(
  file: VerifiedRest.Source<E>,
  first: Read,
  limit: number
): Effect.fn.Return<Pick<RawImage, "libvirt" | "stream" | "bitmaps" | "trailer">, E> {
  const { fileSize } = first
  const { start } = Invariant.defined(first.stream, "a verified image has a stream")
  const header =
    first.libvirt === undefined
      ? undefined
      : yield* ByteSource.parse(ByteSource.fromFile(file, 0, fileSize), LibvirtSave.parse())
  const stream = yield* ByteSource.parse(ByteSource.fromFile(file, 0, fileSize), ImageStream.parse({ start, fileSize }))
  const { stateStart: from } = stream
  return {
    libvirt: header === undefined ? undefined : Result.getOrElse(header, () => undefined),
    stream,
    trailer: from === undefined ? undefined : yield* parseTail({ file, fileSize }, stream, { from, limit }),
    bitmaps: first.isPartial === true ? first.bitmaps : (yield* readBitmaps(file, stream, fileSize)).bitmaps
  }
})

/** The image, after comparison with its checksum. */
interface Read extends RawImage {
  readonly verified?: VerifiedRest.VerifiedRest | undefined
  /** `true` if the bitmaps are those of an unfinished save. */
  readonly isPartial?: boolean
}

const readOnce = Effect.fnUntraced(function* (
  file: PositionalFile,
  offset: number,
  options: ReadOptions
): Effect.fn.Return<Read, FileError> {
  const magic = new Uint8Array(LIBVIRT_MAGIC_BYTES)
  const head = magic.subarray(0, yield* file.read(offset, magic))
  if (offset > 0 || !LibvirtSave.isLibvirtSave(head)) {
    return yield* readStream(file, offset, options)
  }
  const libvirt = yield* ByteSource.parse(ByteSource.fromFile(file, 0, options.fileSize), LibvirtSave.parse())
  if (Result.isSuccess(libvirt)) {
    const contents = yield* readStream(file, libvirt.success.streamOffset, options)
    return { ...contents, libvirt: libvirt.success }
  }
  const findings = [libvirt.failure]
  return { ...nothing, source: file, fileSize: options.fileSize, findings }
})

const nothing: Omit<RawImage, "source" | "fileSize" | "findings"> = {
  libvirt: undefined,
  stream: undefined,
  bitmaps: new Map(),
  trailer: undefined,
  seal: undefined,
  keyProblem: undefined
}

/** The seal comes first: it has the end of the stream. */
const readStream = Effect.fnUntraced(function* (
  file: PositionalFile,
  start: number,
  options: ReadOptions
): Effect.fn.Return<Read, FileError> {
  const { fileSize, verify = true } = options
  const stream = yield* ByteSource.parse(ByteSource.fromFile(file, 0, fileSize), ImageStream.parse({ start, fileSize }))
  const sealed = yield* readSeal(file, stream, options)
  const { findings: sealFindings, seal, trailer, verified } = yield* readTrailer({ file, fileSize }, stream, sealed)
  const isPartial = sealed._tag === "Partial"
  const { bitmaps, findings } = isPartial
    ? { bitmaps: sealed.bitmaps, findings: [] }
    : yield* readBitmaps(file, stream, fileSize)
  const described = trailer?.described?.page_size
  return {
    source: file,
    verified,
    isPartial,
    fileSize,
    libvirt: undefined,
    stream,
    bitmaps,
    trailer,
    seal,
    keyProblem: sealed.keyProblem,
    // The mark of a truncated file has the best information on how much is missing.
    findings: [
      ...sealFindings.filter(({ code }) => code === "seal-cut"),
      ...stream.findings,
      ...ImageChecks.checkRegions({ image: stream, fileSize, streamEnd: trailer?.end }),
      ...findings,
      ...(described === undefined ? [] : ImageChecks.checkPageSize(stream.blocks, described)),
      ...(trailer?.findings ?? []),
      ...sealFindings.filter(({ code }) => code !== "seal-cut"),
      ...(verify && seal === undefined && sealFindings.length === 0 && trailer !== undefined
        ? yield* checkUnmarked(file, stream, {
            streamEnd: trailer.end,
            stateStart: trailer.deviceState.position,
            fileSize,
            isWhole: trailer.findings.length === 0
          })
        : [])
    ]
  }
})

const readBitmaps = Effect.fnUntraced(function* <E>(
  file: VerifiedRest.Source<E>,
  stream: ImageStream.ParsedImage,
  fileSize: number
): Effect.fn.Return<Pick<RawImage, "bitmaps" | "findings">, E> {
  const bitmaps = new Map<string, PageBitmap.PageBitmap>()
  const findings: Array<Finding.Finding> = []
  let room = MAX_BITMAP_BYTES
  for (const block of stream.blocks) {
    const { header, headerPosition, idstr, usedLength } = block
    const length = MappedRam.bitmapLength({ idstr, usedLength, pageSize: header.pageSize })
    if (!isReadable(block, length, fileSize)) continue
    room -= length
    if (room < 0) {
      findings.push(tooLarge(headerPosition, idstr))
      break
    }
    const bytes = new Uint8Array(length)
    yield* file.readExtents([{ position: header.bitmapOffset, bytes }])
    const bitmap = PageBitmap.fromBytes(bytes, usedLength / header.pageSize)
    bitmaps.set(idstr, bitmap)
    findings.push(...ImageChecks.checkBitmap({ block, bitmap, fileSize }))
  }
  return { bitmaps, findings }
})

/** Other problems with the other blocks are already among the findings. */
const isReadable = ({ header, ignored, usedLength }: ImageStream.MappedBlock, length: number, fileSize: number) =>
  !ignored &&
  header.pageSize >= RamBlock.minPageSize &&
  usedLength % header.pageSize === 0 &&
  header.bitmapOffset + length <= fileSize

const tooLarge = (offset: number, block: string): Finding.Finding =>
  Finding.make({
    code: "bitmap-limit-exceeded",
    offset,
    block,
    expected: `at most ${MAX_BITMAP_BYTES} bytes of bitmaps in all`,
    found: "more"
  })
