import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as Invariant from "../../ram/Invariant.ts"
import * as Checksum from "../../format/seal/Checksum.ts"
import type { ImageNotes } from "../../format/seal/ImageNotes.ts"
import * as ImageSeal from "../../format/seal/ImageSeal.ts"
import type * as ImageStream from "../../format/image/ImageStream.ts"
import * as PartialSeal from "../../format/seal/PartialSeal.ts"
import type * as AtomicFile from "../../io/files/AtomicFile.ts"
import type { FileError } from "../../io/files/FileError.ts"
import type { PositionalFile } from "../../io/files/PositionalFile.ts"
import type * as Integrity from "../Integrity.ts"
import * as Checkpoints from "./checkpoints.ts"
import { sealedBlocks, type Targets } from "./writeSeal.ts"

/** The first bytes of a stream, without which it is not a stream. */
const MAGIC_BYTES = 4

/** Zeros written by one call. */
const ZEROS_BYTES = 1024 * 1024

/** The first piece of a stream that must not be mistaken for one. */
const withoutMagic = (first: ImageStream.Piece): ImageStream.Piece => ({
  ...first,
  bytes: first.bytes.slice().fill(0, 0, MAGIC_BYTES)
})

/**
 * Writes everything before the device state except pages, bitmaps and the magic of the stream, so that the written data
 * can be identified. Writes zeros in place of the checkpoints, so that a full disk has room for them.
 */
const openPartial = Effect.fnUntraced(function* (
  file: PositionalFile,
  { blocks, pieces }: ImageStream.ImageHead,
  length: number
): Effect.fn.Return<void, FileError> {
  const [first, ...others] = pieces
  const begin = Invariant.defined(first, "a stream begins with a piece")
  yield* file.writeExtents([withoutMagic(begin), ...others])
  const [start, second] = Invariant.defined(PartialSeal.places(blocks, length), "a kept image has room for checkpoints")
  const end = second + ImageSeal.sealPosition(length)
  const zeros = new Uint8Array(Math.min(ZEROS_BYTES, end - start))
  for (let position = start; position < end; position += zeros.length) {
    yield* file.write(position, zeros.subarray(0, end - position))
  }
})

/** The part of an image that has been written so far. */
const partialOf = (
  head: ImageStream.ImageHead,
  { notes, settings, targets }: Pick<Keeping, "notes" | "settings" | "targets">
): PartialSeal.PartialSeal => {
  const { algorithm, extentSize } = settings
  const rest = new Uint8Array(Checksum.digestLength(algorithm))
  const blocks = sealedBlocks(head.blocks, targets)
  const { position: start } = Invariant.defined(head.pieces[0], "a stream begins with a piece")
  return {
    seal: { algorithm, extentSize, start, end: head.end, rest, blocks, notes },
    bitmaps: blocks.map(({ idstr }) => Invariant.defined(targets.get(idstr), "each block has its target").bitmap)
  }
}

/**
 * The image in progress, and its progress.
 *
 * @internal
 */
export interface Keeping {
  readonly head: ImageStream.ImageHead
  readonly targets: Targets
  readonly settings: Integrity.Settings
  /** The notes that are known from the start. */
  readonly notes: ImageNotes
  /** Bytes of a checkpoint. */
  readonly length: number
  /** Bytes of pages between two checkpoints. Default: by the size of RAM. */
  readonly interval: number | undefined
  /** `true` if all of it is complete and sealed. */
  readonly isSealed: () => boolean
}

/** Leaves an unfinished file in a state from which it can be recovered. */
const leave = Effect.fnUntraced(function* (
  target: AtomicFile.AtomicFile,
  checkpoints: Checkpoints.Checkpoints,
  { isSealed, targets }: Keeping
): Effect.fn.Return<void> {
  if ([...targets.values()].every(({ bitmap }) => bitmap.lastSet() === -1)) return
  if (!isSealed()) {
    yield* Effect.ignore(checkpoints.take, { log: "Error" })
    if (!checkpoints.isThere()) return
  }
  if (yield* target.keep) yield* Effect.logWarning(`what was saved so far is kept in ${target.path}`)
})

/**
 * Makes checkpoints of an image that has room for them, and keeps the file if the scope ends too early.
 *
 * @internal
 */
export const keepPartial = Effect.fnUntraced(function* (
  target: AtomicFile.AtomicFile,
  keeping: Keeping
): Effect.fn.Return<Checkpoints.Checkpoints, FileError, Scope.Scope> {
  const { file } = target
  const { head, length, settings } = keeping
  const bytesTotal = head.blocks.reduce((sum, { ignored, usedLength }) => sum + (ignored ? 0 : usedLength), 0)
  const checkpoints = Checkpoints.make({
    file,
    blocks: head.blocks,
    length,
    interval: keeping.interval ?? Checkpoints.defaultInterval(bytesTotal),
    key: settings.key,
    snapshot: () => partialOf(head, keeping)
  })
  yield* target.name
  yield* openPartial(file, head, length)
  yield* Effect.addFinalizer(() => leave(target, checkpoints, keeping))
  return checkpoints
})
