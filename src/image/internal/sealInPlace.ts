import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as Invariant from "../../ram/Invariant.ts"
import * as Checksum from "../../format/seal/Checksum.ts"
import * as ImageNotes from "../../format/seal/ImageNotes.ts"
import * as ImageSeal from "../../format/seal/ImageSeal.ts"
import * as PageDigests from "../../format/seal/PageDigests.ts"
import * as SealMark from "../../format/seal/SealMark.ts"
import type { FileError } from "../../io/files/FileError.ts"
import * as PositionalFile from "../../io/files/PositionalFile.ts"
import * as PipelineOptions from "../../transfer/PipelineOptions.ts"
import * as Problem from "../../ram/Problem.ts"
import * as ZeroPages from "../../ram/ZeroPages.ts"
import type { ImageBlock } from "../Image.ts"
import * as ImageError from "../ImageError.ts"
import * as Integrity from "../Integrity.ts"
import type { Location } from "../Location.ts"
import { type MigrationRequestError, refuse } from "../../snapshot/MigrationRequestError.ts"
import { type RawImage, readImage } from "./rawImage.ts"
import { digestRest } from "./digestRest.ts"
import * as ImageParts from "./imageParts.ts"
import { digestAll } from "./digestAll.ts"
import { digestPending } from "./digestPending.ts"
import { sealedBlock, writeSealOf } from "./writeSeal.ts"

const digestsOf = (digests: ReadonlyMap<string, PageDigests.PageDigests>, idstr: string): PageDigests.PageDigests =>
  Invariant.defined(digests.get(idstr), "each block has its digests")

/** The digests of all extents of all blocks, by name. */
const digestPages = Effect.fnUntraced(function* (
  blocks: ReadonlyArray<ImageBlock>,
  { algorithm, extentSize }: Integrity.Settings,
  channels: number
): Effect.fn.Return<ReadonlyMap<string, PageDigests.PageDigests>, FileError> {
  const digests = new Map(
    blocks.map((block) => {
      const bitmap = block.reader.present
      return [block.idstr, PageDigests.make({ shape: block, bitmap, algorithm, extentSize })] as const
    })
  )
  yield* digestAll(blocks, { algorithm, extentSize, channels }, (idstr) => digestsOf(digests, idstr))
  yield* digestPending(digests.values())
  return digests
})

/** After the stream there may be an older seal or nothing; in a file that continues, it may be unrelated data. */
const isFree = Effect.fnUntraced(function* (
  file: PositionalFile.PositionalFile,
  options: { readonly from: number; readonly to: number }
): Effect.fn.Return<boolean, FileError> {
  const { from, to } = options
  const chunk = new Uint8Array(Math.min(1024 * 1024, Math.max(0, to - from)))
  for (let position = from; position < to; position += chunk.length) {
    const count = yield* file.read(position, chunk.subarray(0, Math.min(chunk.length, to - position)))
    if (!ZeroPages.isZero(chunk, 0, count)) return false
    if (count < chunk.length) return true
  }
  return true
})

/** `true` if a seal was here before: there is something in place of its mark, or a seal without one. */
const wasSealed = Effect.fnUntraced(function* (
  file: PositionalFile.PositionalFile,
  places: { readonly mark: number; readonly seal: number }
): Effect.fn.Return<boolean, FileError> {
  const bytes = new Uint8Array(SealMark.LENGTH)
  yield* file.read(places.mark, bytes)
  if (!ZeroPages.isZero(bytes)) return true
  return ImageSeal.isSeal(bytes.subarray(0, yield* file.read(places.seal, bytes)))
})

/** The notes of a seal that belongs to this image; those of another one, or of a damaged seal, do not apply. */
const notesOf = Effect.fnUntraced(function* (
  file: PositionalFile.PositionalFile,
  offset: number,
  key: Uint8Array | undefined
): Effect.fn.Return<ImageNotes.ImageNotes, FileError> {
  const { findings, seal } = yield* readImage(file, offset, { fileSize: yield* file.size, key })
  const isOurs = ImageError.fromFindings(file.path, findings) === undefined
  return isOurs && seal !== undefined ? seal.notes : ImageNotes.empty
})

const blocksOf = (file: PositionalFile.PositionalFile, contents: RawImage): ReadonlyArray<ImageBlock> =>
  ImageParts.blocks(file, contents).filter(({ ignored }) => !ignored)

/**
 * Seals an image in place.
 *
 * @internal
 */
export const sealInPlace = Effect.fnUntraced(function* (
  { offset = 0, path }: Location,
  options: Integrity.SealOptions & { readonly channels?: number | undefined }
): Effect.fn.Return<
  void,
  ImageError.ImageError | FileError | MigrationRequestError | PipelineOptions.PipelineOptionsError,
  Scope.Scope
> {
  const { channels } = yield* PipelineOptions.make({ channels: options.channels })
  yield* refuse("seal", Integrity.problems(options))
  const file = yield* PositionalFile.open(path, { access: "read-write" })
  const contents = yield* readImage(file, offset, { verify: false, fileSize: yield* file.size })
  const error = ImageError.fromFindings(path, contents.findings)
  if (error !== undefined) return yield* error
  const stream = Invariant.defined(contents.stream, "an image without findings is complete")
  const { end } = Invariant.defined(contents.trailer, "an image without findings is complete")
  const blocks = blocksOf(file, contents)
  const settings = Integrity.forBlocks(options, blocks)
  const { algorithm, extentSize, key } = settings

  const position = SealMark.position(stream.blocks)
  if (position === undefined) {
    const reason = "the image has no room for the mark of a seal after a bitmap"
    return yield* refuse("seal", [Problem.make(reason, "write it anew with multifd convert, which seals it")])
  }
  const digests = yield* digestPages(blocks, settings, channels)
  const start = contents.libvirt === undefined ? stream.start : 0
  const rest = yield* digestRest(file, ImageSeal.restOf({ start, end, blocks: stream.blocks }), { algorithm })
  const sealed = stream.blocks
    .filter(({ ignored }) => !ignored)
    .map((block) => sealedBlock(block, digestsOf(digests, block.idstr).extents()))
  const notes = yield* notesOf(file, offset, key)
  const seal = { algorithm, extentSize, start, end, rest, blocks: sealed, notes }
  const range = { position: ImageSeal.sealPosition(end), length: ImageSeal.encode(seal).length }
  const free = { from: end, to: range.position + range.length }
  if (!(yield* wasSealed(file, { mark: position, seal: range.position })) && !(yield* isFree(file, free))) {
    const reason = `the file has data after the end of the stream (byte ${end})`
    return yield* refuse("seal", [Problem.make(reason, "write the image anew with multifd convert, which seals it")])
  }

  const pending = { state: "sealing" as const, algorithm, seal: range }
  const digest = new Uint8Array(Checksum.digestLength("sha256"))
  yield* file.write(position, SealMark.encode({ ...pending, digest }))
  yield* file.sync
  const mark = yield* writeSealOf(file, { position, key, seal })
  yield* file.sync
  yield* file.write(mark.position, mark.bytes)
  yield* file.sync
})
