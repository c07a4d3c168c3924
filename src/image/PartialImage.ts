import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as Invariant from "../ram/Invariant.ts"
import type { ImageNotes, LostPages } from "../format/seal/ImageNotes.ts"
import type { MappedBlock } from "../format/image/ImageStream.ts"
import * as MigrationStream from "../format/stream/MigrationStream.ts"
import type { FileError } from "../io/files/FileError.ts"
import * as PositionalFile from "../io/files/PositionalFile.ts"
import * as Problem from "../ram/Problem.ts"
import * as PageBitmap from "../ram/PageBitmap.ts"
import type * as RamBlock from "../ram/RamBlock.ts"
import type { ImageBlock } from "./Image.ts"
import * as ImageError from "./ImageError.ts"
import * as Integrity from "./Integrity.ts"
import type { Location } from "./Location.ts"
import * as MachineState from "../snapshot/MachineState.ts"
import { MigrationRequestError } from "../snapshot/MigrationRequestError.ts"
import { type RawImage, readImage } from "./internal/rawImage.ts"
import { makeReader } from "./internal/imageBlock.ts"
import * as ImageParts from "./internal/imageParts.ts"
import { examine } from "./internal/examine.ts"

/**
 * The part of a save that matches its checksums.
 *
 * @internal
 */
export interface Recovered {
  readonly partial: boolean
  readonly blocks: ReadonlyArray<RamBlock.Readable<FileError | Integrity.IntegrityError>>
  readonly lost: ReadonlyArray<Integrity.Damage>
  /** Pages that the save had not reached, or that were zero: these two cannot be distinguished. */
  readonly neverSaved: ReadonlyArray<LostPages>
  /** The notes of the source. */
  readonly notes: ImageNotes
  readonly machineState: {
    readonly value: MachineState.MachineState<FileError | Integrity.IntegrityError>
    readonly isWhole: boolean
  }
}

const MAGIC = MigrationStream.encodeFileHeader().subarray(0, 4)

/** An unfinished save has zeros in place of its first bytes, so that it cannot be mistaken for an image. */
const isUnfinished = (file: PositionalFile.PositionalFile, start: number): Effect.Effect<boolean, FileError> => {
  const bytes = new Uint8Array(MAGIC.length)
  return Effect.map(file.read(start, bytes), (count) => count === MAGIC.length && bytes.every((byte) => byte === 0))
}

/**
 * The same file with these bytes in place, and with zeros past its end, which a power cut may have moved: a missing
 * page then fails its checksum, and the others do not.
 */
const completed = (
  file: PositionalFile.PositionalFile,
  start: number,
  fileSize: number
): PositionalFile.PositionalFile => {
  const put = (position: number, read: Uint8Array): void =>
    MAGIC.forEach((byte, at) => {
      const index = start + at - position
      if (index >= 0 && index < read.length) read[index] = byte
    })
  const present = ({ bytes, position }: PositionalFile.Extent): PositionalFile.Extent => {
    const count = Math.max(0, Math.min(bytes.length, fileSize - position))
    bytes.fill(0, count)
    return { position, bytes: bytes.subarray(0, count) }
  }
  return {
    ...file,
    read: (position, target) =>
      Effect.tap(file.read(position, target), (count) => Effect.sync(() => put(position, target.subarray(0, count)))),
    readExtents: (extents) =>
      Effect.tap(
        Effect.suspend(() => file.readExtents(extents.map(present))),
        () => Effect.sync(() => extents.forEach(({ bytes, position }) => put(position, bytes)))
      )
  }
}

/** The pages of a block that match their checksum. */
interface Proven {
  readonly block: ImageBlock
  readonly present: PageBitmap.PageBitmap
}

const prove = Effect.fnUntraced(function* (
  proven: ReadonlyMap<string, Proven>,
  options: { readonly extentSize: number; readonly channels: number }
): Effect.fn.Return<ReadonlyArray<Integrity.Damage>, FileError> {
  const lost: Array<Integrity.Damage> = []
  const lose = (damage: ReadonlyArray<Integrity.Damage>): void => {
    for (const { block, firstPage, pages } of damage) {
      Invariant.defined(proven.get(block), "damage is of a block that is examined").present.clearRange(firstPage, pages)
    }
    lost.push(...damage)
  }
  const blocks = [...proven.values()].map(({ block }) => block)
  yield* examine(blocks, options, { damage: lose, failed: Effect.fail })
  return lost.toSorted((a, b) => a.position - b.position)
})

const neverSavedOf = (
  proven: ReadonlyMap<string, Proven>,
  lost: ReadonlyArray<Integrity.Damage>
): ReadonlyArray<LostPages> =>
  [...proven.values()]
    .map(({ block, present }) => {
      const damaged = lost.reduce((sum, damage) => sum + (damage.block === block.idstr ? damage.pages : 0), 0)
      return { idstr: block.idstr, pages: block.pages - damaged - present.count() }
    })
    .filter(({ pages }) => pages > 0)

const machineStateOf = Effect.fnUntraced(function* (
  file: PositionalFile.PositionalFile,
  contents: RawImage,
  isWhole: boolean
): Effect.fn.Return<Recovered["machineState"], FileError | Integrity.IntegrityError> {
  if (isWhole) return { isWhole, value: yield* ImageParts.machineState(file, contents) }
  const { blocks } = Invariant.defined(contents.stream, "a seal that was read belongs to a stream")
  const empty = MachineState.empty({ pageSize: blocks[0]?.header.pageSize })
  return { isWhole, value: { ...empty, origin: yield* file.stat } }
})

const nothingToProve = Problem.make(
  "it has no intact checksums, so nothing can be proven to be from the save",
  "use multifd convert if the image can still be opened"
)

/**
 * Compares all pages with their checksums, and returns those that match.
 *
 * @internal
 */
export const recoverImage = Effect.fnUntraced(function* (
  { offset = 0, path }: Location,
  { channels, key }: { readonly channels: number; readonly key: Uint8Array | undefined }
): Effect.fn.Return<
  Recovered,
  FileError | MigrationRequestError | Integrity.IntegrityError | Integrity.SealKeyError,
  Scope.Scope
> {
  const opened = yield* PositionalFile.open(path, { access: "read" })
  const isPartial = yield* isUnfinished(opened, offset)
  const fileSize = yield* opened.size
  const file = isPartial ? completed(opened, offset, fileSize) : opened
  const contents = yield* readImage(file, offset, { key, partial: isPartial, fileSize })
  const { bitmaps, findings, keyProblem, seal, stream } = contents
  if (seal === undefined || stream === undefined) {
    return yield* new MigrationRequestError({ operation: "recover", problems: [nothingToProve] })
  }
  if (keyProblem !== undefined) return yield* new Integrity.SealKeyError({ path, problem: keyProblem })
  const proven = new Map(
    ImageParts.blocks(file, contents)
      .filter(({ checks, ignored }) => checks !== undefined && !ignored)
      .map((block) => {
        const { bytes, pages } = block.reader.present
        return [block.idstr, { block, present: PageBitmap.fromBytes(bytes.slice(), pages) }] as const
      })
  )
  const lost = yield* prove(proven, { extentSize: seal.extentSize, channels })
  // If its seal has the digest of everything else, the save was finished except for its name.
  const isWhole = ImageError.fromFindings(path, findings) === undefined
  const partial = isPartial && !isWhole
  const readable = (block: MappedBlock): Recovered["blocks"] => {
    const found = proven.get(block.idstr)
    if (found === undefined || !bitmaps.has(block.idstr)) return []
    const reader = makeReader(file, block, { present: found.present, checks: undefined })
    return [{ idstr: block.idstr, usedLength: block.usedLength, pageSize: block.header.pageSize, reader }]
  }
  return {
    partial,
    blocks: stream.blocks.flatMap(readable),
    lost,
    neverSaved: partial ? neverSavedOf(proven, lost) : [],
    notes: seal.notes,
    machineState: yield* machineStateOf(file, contents, isWhole)
  }
})
