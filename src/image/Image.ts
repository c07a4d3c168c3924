/**
 * A mapped-ram image: a whole machine, or only RAM, in a file.
 *
 * ```text
 *   inspect   ┌ libvirt or QEMU? ┐  ┌ records of ┐  ┌ bitmaps of ┐  ┌ device state, ┐
 *     file ──▶│ where does the   │─▶│ the stream │─▶│ the blocks │─▶│ description   │─▶ Inspection
 *             │ stream begin?    │  └────────────┘  └────────────┘  └───────────────┘
 *             └──────────────────┘        └──────────────┴──── findings ────┘
 *   open      inspect; fails if a finding is an error
 * ```
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type * as Description from "../format/devices/Description.ts"
import type * as DeviceState from "../format/devices/DeviceState.ts"
import type { Finding } from "../format/Finding.ts"
import * as GlobalState from "../format/devices/GlobalState.ts"
import * as ImageNotes from "../format/seal/ImageNotes.ts"
import type { Seal } from "../format/seal/ImageSeal.ts"
import * as LibvirtSave from "../format/image/LibvirtSave.ts"
import type { Configuration } from "../format/stream/MigrationStream.ts"
import type { FileError } from "../io/files/FileError.ts"
import * as FileIdentity from "../io/files/FileIdentity.ts"
import * as PositionalFile from "../io/files/PositionalFile.ts"
import * as ImageError from "./ImageError.ts"
import { type IntegrityError, SealKeyError, type VerifyOptions } from "./Integrity.ts"
import { changedMeanwhile, type RawImage, readImage } from "./internal/rawImage.ts"
import * as ImageParts from "./internal/imageParts.ts"
import * as Location from "./Location.ts"
import type { MachineState } from "../snapshot/MachineState.ts"
import * as SnapshotSource from "../snapshot/SnapshotSource.ts"
import * as RestoreChannel from "./RestoreChannel.ts"
import type { MigrationRequestError } from "../snapshot/MigrationRequestError.ts"
import type { ImageBlock } from "./internal/imageModel.ts"

export type { ImageBlock } from "./internal/imageModel.ts"

/**
 * `mapped-ram`: as QEMU writes it. `libvirt-sparse`: the same after a header by libvirt, with the domain's XML.
 *
 * @stability stable
 * @category models
 * @since 0.1.0
 */
export type Format = "mapped-ram" | "libvirt-sparse"

/**
 * The contents of a file, as far as they can be read.
 *
 * @stability stable
 * @category models
 * @since 0.1.0
 */
export interface Inspection {
  readonly path: string
  /** Byte offset of the migration stream. */
  readonly offset: number
  /** Bytes of the file. */
  readonly fileSize: number
  readonly format: Format
  /** `undefined` if the sender left it out, or the file ends before it. */
  readonly configuration: Configuration | undefined
  /** The versioned machine type. */
  readonly machine: string | undefined
  /** The capabilities that both sides must agree on. */
  readonly capabilities: ReadonlyArray<string>
  /** In the order of the file; only blocks with a readable bitmap. */
  readonly blocks: ReadonlyArray<ImageBlock>
  /** In the order of the file, early ones first. Empty if no description gives their lengths. */
  readonly deviceSections: ReadonlyArray<DeviceState.DeviceSection>
  /**
   * The guest's run state when it was saved, QEMU's `RunState`; `undefined` if the device sections do not contain it.
   */
  readonly runState: string | undefined
  /** The description of the device sections. */
  readonly description: Description.Description | undefined
  /** The libvirt header before the stream. */
  readonly libvirt: LibvirtSave.LibvirtSave | undefined
  /** The seal's parameters; `undefined` if there are no checksums, or with `verify: false`. */
  readonly seal: Pick<Seal, "algorithm" | "extentSize"> | undefined
  /** The notes of the seal, and the UUID from libvirt; empty if there is neither. */
  readonly notes: ImageNotes.ImageNotes
  /** The problem with a wrong, missing or superfluous key, which prevents opening the image. */
  readonly keyProblem: SealKeyError["problem"] | undefined
  /** All problems, including warnings, in the order in which they were found. */
  readonly findings: ReadonlyArray<Finding>
}

/**
 * A complete image, open for reading until its scope ends.
 *
 * @stability stable
 * @category models
 * @since 0.1.0
 */
export interface Image extends Inspection, SnapshotSource.SnapshotSource<FileError | IntegrityError> {
  readonly blocks: ReadonlyArray<ImageBlock>
  readonly machine: string | undefined
  readonly deviceSections: ReadonlyArray<DeviceState.DeviceSection>
  readonly runState: string | undefined
  readonly notes: ImageNotes.ImageNotes
  /** Everything that is not RAM, for use in another image. */
  readonly machineState: MachineState<FileError | IntegrityError>
  /**
   * `length` bytes at `offset` of a block; reads only these, or their whole extents if there are checksums. Fails with
   * `MigrationRequestError` if the image does not have them.
   */
  readonly readPages: (
    idstr: string,
    offset: number,
    length: number
  ) => Effect.Effect<Uint8Array, FileError | IntegrityError | MigrationRequestError>
}

/**
 * Examines a file and reports all problems. Only an unreadable file is an error; a file that is not an image is a
 * finding.
 *
 * **Details**
 *
 * Reads the records, bitmaps, device state and description, and compares them with their checksum if there is one, but
 * reads no pages. Needs one bit of memory per page of RAM, the seal, and the device state if it is below 256 MiB.
 *
 * @stability stable
 * @category running
 * @since 0.1.0
 */
export const inspect = Effect.fn("Image.inspect")(function* (
  location: string | Location.Location,
  options: VerifyOptions = {}
): Effect.fn.Return<Inspection, FileError, Scope.Scope> {
  const { contents, file } = yield* read(location, options, { inThread: false })
  return yield* inspectionOf(file, Location.make(location), contents)
})

/**
 * Opens an image. Everything that would make QEMU crash, hang or load wrong RAM is an error here, and so is an image
 * that was never completed. With checksums, so is a mismatch outside of the pages; pages are compared whenever they are
 * read from the image.
 *
 * **Example** (One page of a guest)
 *
 * ```ts
 * import * as Effect from "effect/Effect"
 * import { Image } from "effect-multifd"
 *
 * export const firstPage = Effect.gen(function* () {
 *   const image = yield* Image.open("vm.img")
 *   return yield* image.readPages("pc.ram", 0, 4096)
 * }).pipe(Effect.scoped)
 * ```
 *
 * @stability stable
 * @category constructors
 * @since 0.1.0
 */
export const open = Effect.fn("Image.open")(function* (
  location: string | Location.Location,
  options: VerifyOptions = {}
): Effect.fn.Return<Image, ImageError.ImageError | FileError | IntegrityError | SealKeyError, Scope.Scope> {
  const { contents, file } = yield* read(location, options, { inThread: true })
  const inspection = yield* inspectionOf(file, Location.make(location), contents)
  const error = ImageError.fromFindings(inspection.path, inspection.findings)
  if (error !== undefined) return yield* error
  const { keyProblem } = contents
  if (keyProblem !== undefined) return yield* new SealKeyError({ path: inspection.path, problem: keyProblem })
  const machineState = yield* ImageParts.machineState(file, contents)
  const identity = yield* file.stat
  // libvirt's header precedes the stream.
  const start = inspection.format === "libvirt-sparse" ? 0 : inspection.offset
  return {
    ...inspection,
    name: inspection.path,
    blocks: inspection.blocks.map(storedIn(inspection.path, identity)),
    storage: { file: FileIdentity.key(identity), path: inspection.path, start, end: Infinity },
    readUnit: Math.max(1, ...inspection.blocks.map(({ checks }) => checks?.extentSize ?? 1)),
    machineState,
    restoreChannel: restoreChannel(inspection, identity),
    readPages: (...range) => SnapshotSource.readPages(inspection, ...range)
  }
})

/** The storage of a block, so that nothing overwrites it while it is read. */
const storedIn =
  (path: string, identity: FileIdentity.FileIdentity) =>
  (block: ImageBlock): ImageBlock => {
    const { pagesOffset: start, usedLength } = block
    return { ...block, storage: { file: FileIdentity.key(identity), path, start, end: start + usedLength } }
  }

const read = Effect.fnUntraced(function* (
  location: string | Location.Location,
  options: VerifyOptions,
  how: Pick<PositionalFile.OpenOptions, "inThread">
) {
  const { offset, path } = Location.make(location)
  const file = yield* PositionalFile.open(path, { access: "read", ...how })
  return { file, contents: yield* readImage(file, offset ?? 0, { ...options, fileSize: yield* file.size }) }
})

const inspectionOf = Effect.fnUntraced(function* (
  file: PositionalFile.PositionalFile,
  { offset = 0, path }: Location.Location,
  contents: RawImage
): Effect.fn.Return<Inspection, FileError> {
  const { libvirt, stream, trailer } = contents
  const sections = yield* Effect.catchTag(ImageParts.deviceSections(contents), "IntegrityError", ({ changed }) =>
    Effect.succeed({ sections: [], findings: [changedMeanwhile(changed?.position ?? offset)] })
  )
  return {
    path,
    offset: stream?.start ?? offset,
    fileSize: contents.fileSize,
    format: libvirt === undefined ? "mapped-ram" : "libvirt-sparse",
    configuration: stream?.configuration,
    machine: stream?.configuration?.machine,
    capabilities: stream?.configuration?.capabilities ?? [],
    blocks: ImageParts.blocks(file, contents),
    deviceSections: sections.sections,
    runState: GlobalState.find(sections.sections),
    description: trailer?.described,
    libvirt,
    seal: contents.seal,
    notes: { ...notesOf(libvirt), ...contents.seal?.notes },
    keyProblem: contents.keyProblem,
    findings: [...contents.findings, ...sections.findings]
  }
})

/** libvirt's header before the stream identifies the machine. */
const notesOf = (libvirt: LibvirtSave.LibvirtSave | undefined): ImageNotes.ImageNotes => {
  const uuid = libvirt === undefined ? undefined : LibvirtSave.uuidOf(libvirt)
  return uuid === undefined ? ImageNotes.empty : { uuid }
}

/** Reads pages from their offsets in the file directly to their destination, and verifies whole extents on the way. */
const restoreChannel =
  ({ blocks, path }: Inspection, identity: FileIdentity.FileIdentity) =>
  <E>(id: number, options: SnapshotSource.RestoreChannelOptions<E>) => {
    const places = blocks.flatMap(({ checks, idstr, pagesOffset, reader }) => {
      const target = options.blocks.get(idstr)
      if (target === undefined) return []
      const verify = checks === undefined ? undefined : checks.verify.bind(checks)
      const place: RestoreChannel.Place<E | IntegrityError> = {
        pagesOffset,
        bitmap: reader.present,
        writer: target.writer,
        verify,
        checks: checks?.forLanes
      }
      return [[idstr, place] as const]
    })
    return RestoreChannel.make<E | IntegrityError>({ ...options, id, path, identity, blocks: new Map(places) })
  }
