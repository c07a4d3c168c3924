import * as Effect from "effect/Effect"
import * as Invariant from "../../ram/Invariant.ts"
import type { Algorithm } from "../../format/seal/Checksum.ts"
import type * as ImageStream from "../../format/image/ImageStream.ts"
import * as PartialSeal from "../../format/seal/PartialSeal.ts"
import * as SealMark from "../../format/seal/SealMark.ts"
import type { FileError } from "../../io/files/FileError.ts"
import type { PositionalFile } from "../../io/files/PositionalFile.ts"
import * as SyncAhead from "../SyncAhead.ts"

/**
 * Records in the file, from time to time, which pages have been written. However the process ends, the pages of the
 * last checkpoint can be proven.
 *
 * ```text
 *   sync ahead     1         2         3         4         5
 *   ───────────────┬─────────┬─────────┬─────────┬─────────┬──▶
 *             digests, bits  │         │    digests, bits  │
 *                  └ seal ─▶ A         │         └ seal ─▶ B
 *                            └ mark ─▶ A durable           └ mark ─▶ B …
 * ```
 *
 * A checkpoint is taken before a sync that happens anyway, and written after it; after the next sync, the mark is
 * changed to lead to it. So it needs no sync of its own, and at any moment the mark on the disk leads to a seal on the
 * disk whose pages reached the disk earlier.
 *
 * @internal
 */
export interface Checkpoints {
  /** Wraps a sync of the file while pages are being written. */
  readonly around: (sync: Effect.Effect<void, FileError>) => typeof sync
  /** Bytes written between two syncs. */
  readonly threshold: number
  /**
   * Takes one more checkpoint, of everything written so far; it is durable when this succeeds. No page may be in
   * flight.
   */
  readonly take: Effect.Effect<void, FileError>
  /** `true` if there is one in the file. */
  readonly isThere: () => boolean
}

/** A partial seal to be written. */
interface Taken {
  readonly algorithm: Algorithm
  readonly bytes: Uint8Array
}

const MIB = 1024 * 1024

/** A killed save loses at most 4/3 of this. */
const MIN_BYTES = 256 * MIB

/** With this many in a save, all of them together are some thousandths of its pages. */
const MAX_CHECKPOINTS = 64

/** Bytes between two checkpoints for an amount of RAM. @internal */
export const defaultInterval = (bytesTotal: number): number => Math.max(MIN_BYTES, bytesTotal / MAX_CHECKPOINTS)

/**
 * Makes checkpoints of a file whose layout has room for them.
 *
 * @internal
 */
export const make = (options: {
  readonly file: PositionalFile
  readonly blocks: ReadonlyArray<ImageStream.MappedBlock>
  /** Bytes of a checkpoint. */
  readonly length: number
  /** Bytes of pages between two checkpoints. */
  readonly interval: number
  readonly key: Uint8Array | undefined
  /** Everything written so far. */
  readonly snapshot: () => PartialSeal.PartialSeal
}): Checkpoints => {
  const { blocks, file, interval, key, length, snapshot } = options
  const position = Invariant.defined(SealMark.position(blocks), "a kept image has room for a mark")
  const places = Invariant.defined(PartialSeal.places(blocks, length), "a kept image has room for checkpoints")
  const threshold = Math.min(SyncAhead.defaultThreshold, Math.ceil(interval / 2))
  const every = Math.max(2, Math.round(interval / threshold))
  let free = 0
  let isThere = false
  let syncs = 0
  let pending: ImageStream.Piece | undefined

  /**
   * Captures digests and bits at one moment: pages are still being written while the seal waits to be written itself.
   */
  const takeDown = (): Taken => {
    const partial = snapshot()
    return { algorithm: partial.seal.algorithm, bytes: PartialSeal.encode(partial) }
  }

  const write = Effect.fnUntraced(function* ({
    algorithm,
    bytes
  }: Taken): Effect.fn.Return<ImageStream.Piece, FileError> {
    const place = Invariant.defined(places[free], "there are two places for checkpoints")
    const mark = { state: "partial" as const, algorithm, seal: { position: place, length: bytes.length } }
    yield* file.write(mark.seal.position, bytes)
    return { position, bytes: SealMark.encode({ ...mark, digest: SealMark.digestOf(mark, bytes, key) }) }
  })

  const lead = ({ bytes, position }: ImageStream.Piece): Effect.Effect<void, FileError> =>
    Effect.map(file.write(position, bytes), () => {
      isThere = true
      free = 1 - free
    })

  return {
    threshold,
    isThere: () => isThere,
    around: (sync) =>
      Effect.suspend(() => {
        syncs += 1
        if (pending !== undefined) {
          const mark = pending
          pending = undefined
          return Effect.andThen(sync, lead(mark))
        }
        if (syncs < every) return sync
        syncs = 0
        const taken = takeDown()
        return Effect.andThen(
          sync,
          Effect.map(write(taken), (mark) => void (pending = mark))
        )
      }),
    take: Effect.gen(function* () {
      const taken = takeDown()
      yield* file.sync
      const mark = yield* write(taken)
      yield* file.sync
      yield* lead(mark)
      yield* file.sync
    })
  }
}
