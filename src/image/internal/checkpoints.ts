import * as Effect from "effect/Effect"
import type { Algorithm } from "../../format/seal/Checksum.ts"
import type * as ImageStream from "../../format/image/ImageStream.ts"
import * as PartialSeal from "../../format/seal/PartialSeal.ts"
import * as SealMark from "../../format/seal/SealMark.ts"
import type { FileError } from "../../io/files/FileError.ts"
import type { PositionalFile } from "../../io/files/PositionalFile.ts"
import * as SyncAhead from "../SyncAhead.ts"

/**
 * Says in the file itself, now and then, what of it has been written: whatever ends the process, the pages that the last
 * checkpoint knows can be proven.
 *
 * ```text
 *   sync ahead     1         2         3         4         5
 *   ───────────────┬─────────┬─────────┬─────────┬─────────┬──▶
 *             digests, bits  │         │    digests, bits  │
 *                  └ seal ─▶ A         │         └ seal ─▶ B
 *                            └ mark ─▶ A durable           └ mark ─▶ B …
 * ```
 *
 * What a checkpoint is about is taken down in front of a sync that is made anyway, and written behind it; the mark leads
 * there behind the next one. So it costs no sync of its own, and at every moment the mark on the disk leads to a seal on
 * the disk whose pages were on the disk before.
 *
 * @internal
 */
export interface Checkpoints {
  /** What becomes of a sync of the file while pages are being written. */
  readonly around: (sync: Effect.Effect<void, FileError>) => typeof sync
  /** Bytes to be written before the next sync begins. */
  readonly threshold: number
  /** One more, of all that has been written by now; it is durable when this succeeds. No page may be on its way. */
  readonly take: Effect.Effect<void, FileError>
  /** Whether there is one in the file. */
  readonly isThere: () => boolean
}

/** A partial seal that is to be written. */
interface Taken {
  readonly algorithm: Algorithm
  readonly bytes: Uint8Array
}

const MIB = 1024 * 1024

/** What is lost of a save that is killed, at the most, is a third more than this. */
const MIN_BYTES = 256 * MIB

/** With so many in a save, all of them together are some thousandths of its pages. */
const MAX_CHECKPOINTS = 64

/** Bytes between two checkpoints of so much RAM. @internal */
export const defaultInterval = (bytesTotal: number): number => Math.max(MIN_BYTES, bytesTotal / MAX_CHECKPOINTS)

/**
 * Checkpoints of a file whose layout has room for them.
 *
 * @internal
 */
export const make = (options: {
  readonly file: PositionalFile
  readonly blocks: ReadonlyArray<ImageStream.MappedBlock>
  /** Bytes of one. */
  readonly length: number
  /** Bytes of pages between two of them. */
  readonly interval: number
  readonly key: Uint8Array | undefined
  /** What has been written by now. */
  readonly snapshot: () => PartialSeal.PartialSeal
}): Checkpoints => {
  const { blocks, file, interval, key, length, snapshot } = options
  const position = SealMark.position(blocks)!
  const places = PartialSeal.places(blocks, length)!
  const threshold = Math.min(SyncAhead.defaultThreshold, Math.ceil(interval / 2))
  const every = Math.max(2, Math.round(interval / threshold))
  let free = 0
  let isThere = false
  let syncs = 0
  let pending: ImageStream.Piece | undefined

  /** Digests and bits of one moment: pages go on being written while it waits to be written itself. */
  const takeDown = (): Taken => {
    const partial = snapshot()
    return { algorithm: partial.seal.algorithm, bytes: PartialSeal.encode(partial) }
  }

  const write = Effect.fnUntraced(function* ({
    algorithm,
    bytes
  }: Taken): Effect.fn.Return<ImageStream.Piece, FileError> {
    const mark = { state: "partial" as const, algorithm, seal: { position: places[free]!, length: bytes.length } }
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
