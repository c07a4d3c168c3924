import * as Bytes from "effect/Bytes"
import * as Effect from "effect/Effect"
import * as Invariant from "../../ram/Invariant.ts"
import * as DeviceState from "../../format/devices/DeviceState.ts"
import type * as ImageSeal from "../../format/seal/ImageSeal.ts"
import type { ByteRange, MappedBlock } from "../../format/image/ImageStream.ts"
import * as MigrationStream from "../../format/stream/MigrationStream.ts"
import type { FileError } from "../../io/files/FileError.ts"
import type { PositionalFile } from "../../io/files/PositionalFile.ts"
import * as PageBitmap from "../../ram/PageBitmap.ts"
import * as ByteSource from "../../snapshot/ByteSource.ts"
import type { ImageBlock } from "./imageModel.ts"
import type { IntegrityError } from "../Integrity.ts"
import type { MachineState } from "../../snapshot/MachineState.ts"
import type { RawImage } from "./rawImage.ts"
import { ExtentChecks } from "./extentChecks.ts"
import { makeReader } from "./imageBlock.ts"

/** Device state is usually some hundred KiB; it is large if a device migrates its own memory with it. */
const MAX_LISTED_STATE_BYTES = 256 * 1024 * 1024

/** A seal of another block of that name also mismatches outside the pages, which has been detected by then. */
const checksOf = (
  { path }: PositionalFile,
  { header, idstr, usedLength }: MappedBlock,
  { present, seal }: { readonly present: PageBitmap.PageBitmap; readonly seal: ImageSeal.Seal | undefined }
): ExtentChecks | undefined => {
  const block = seal?.blocks.find((sealed) => sealed.idstr === idstr)
  const isSame = block?.usedLength === usedLength && block.pageSize === header.pageSize
  return seal !== undefined && isSame ? new ExtentChecks({ path, seal, block, present }) : undefined
}

const makeBlock = (
  file: PositionalFile,
  block: MappedBlock,
  present: PageBitmap.PageBitmap,
  checks: ExtentChecks | undefined
): ImageBlock => ({
  idstr: block.idstr,
  usedLength: block.usedLength,
  pageSize: block.header.pageSize,
  reader: { ...makeReader(file, block, { present, checks }), present },
  checks,
  bitmapOffset: block.header.bitmapOffset,
  pagesOffset: block.header.pagesOffset,
  pages: present.pages,
  pagesPresent: present.count(),
  address: block.address,
  ignored: block.ignored
})

/** @internal */
export const blocks = (file: PositionalFile, { bitmaps, seal, stream }: RawImage): ReadonlyArray<ImageBlock> =>
  (stream?.blocks ?? []).flatMap((block) => {
    const present = block.ignored ? PageBitmap.make(0) : bitmaps.get(block.idstr)
    return present === undefined ? [] : [makeBlock(file, block, present, checksOf(file, block, { present, seal }))]
  })

type ReadError = FileError | IntegrityError

const carried = ({ source }: RawImage, { length, position }: ByteRange): ByteSource.ByteSource<ReadError> =>
  ByteSource.fromFile(source, position, length)

const readRange = (contents: RawImage, range: ByteRange): Effect.Effect<Uint8Array, ReadError> =>
  ByteSource.read(carried(contents, range))

const readRanges = (contents: RawImage, ranges: ReadonlyArray<ByteRange>): Effect.Effect<Uint8Array, ReadError> =>
  Effect.map(
    Effect.forEach(ranges, (range) => readRange(contents, range)),
    Bytes.concat
  )

/**
 * The device sections, early ones first, and the findings about them.
 *
 * @internal
 */
export const deviceSections = Effect.fnUntraced(function* (
  contents: RawImage
): Effect.fn.Return<Pick<DeviceState.Split, "sections" | "findings">, ReadError> {
  const { stream, trailer } = contents
  if (stream === undefined || trailer === undefined || trailer.deviceState.length > MAX_LISTED_STATE_BYTES) {
    return { sections: [], findings: [] }
  }
  const { footers } = stream
  const ranges = [stream.prelude, ...stream.early, trailer.deviceState]
  const splits = yield* Effect.forEach(ranges, (range) =>
    Effect.map(readRange(contents, range), (bytes) =>
      isSection(bytes)
        ? DeviceState.split(bytes, trailer.described, { position: range.position, footers })
        : { sections: [], findings: [] }
    )
  )
  return {
    sections: splits.flatMap((split) => split.sections),
    findings: splits.flatMap((split) => split.findings)
  }
})

/** Commands may be among the sections that are set up early. */
const isSection = (bytes: Uint8Array): boolean => bytes[0] === MigrationStream.SectionType.full

const COMPLETE = "the machine state is read from a complete image"

/**
 * Everything in a complete image that is not RAM.
 *
 * @internal
 */
export const machineState = Effect.fnUntraced(function* (
  file: PositionalFile,
  contents: RawImage
): Effect.fn.Return<MachineState<ReadError>, ReadError> {
  const { stream, trailer } = contents
  const { configuration, early, footers, prelude, ramSectionId, switchoverStart } = Invariant.defined(stream, COMPLETE)
  const { deviceState, description } = Invariant.defined(trailer, COMPLETE)
  return {
    configuration,
    prelude: yield* readRange(contents, prelude),
    early: yield* readRanges(contents, early),
    switchoverStart,
    footers,
    ramSectionId: Invariant.defined(ramSectionId, COMPLETE),
    deviceState: carried(contents, deviceState),
    description: carried(contents, description),
    origin: yield* file.stat
  }
})
