import * as Effect from "effect/Effect"
import * as Invariant from "../../ram/Invariant.ts"
import type * as RamBlock from "../../ram/RamBlock.ts"

/** Enough for one answer, small enough to keep requests fast while the background reads. */
const MIN_BYTES = 64 * 1024
const MAX_CACHED_BYTES = 32 * 1024 * 1024

/**
 * The pieces of a source that were read last. A piece has its own checksums: it is read and verified once, for all of
 * its pages.
 *
 * @internal
 */
export interface PageCache<out E> {
  /** The bytes `[offset, offset + length)` of a block, which may span several pieces. */
  readonly read: (idstr: string, offset: number, length: number) => Effect.Effect<Uint8Array, E>
  /** Bytes from `offset` to the end of its piece. */
  readonly untilEnd: (block: RamBlock.Shape, offset: number) => number
}

/**
 * @internal
 */
export const make = <E>(blocks: ReadonlyMap<string, RamBlock.Readable<E>>, readUnit: number): PageCache<E> => {
  const pieceBytes = Math.max(1, Math.ceil(MIN_BYTES / readUnit)) * readUnit
  const capacity = Math.max(2, Math.floor(MAX_CACHED_BYTES / pieceBytes))
  const pieces = new Map<string, Uint8Array>()

  const remember = (key: string, bytes: Uint8Array): void => {
    pieces.set(key, bytes)
    const [oldest] = pieces.keys()
    if (pieces.size > capacity && oldest !== undefined) pieces.delete(oldest)
  }
  const piece = (block: RamBlock.Readable<E>, index: number): Effect.Effect<Uint8Array, E> => {
    const key = `${index} ${block.idstr}`
    const known = pieces.get(key)
    if (known !== undefined) return Effect.succeed(known)
    const start = index * pieceBytes
    const length = Math.min(pieceBytes, block.usedLength - start)
    const { readInto, view } = block.reader
    if (view !== undefined) return Effect.sync(() => view(start, length))
    return Effect.suspend(() => {
      const bytes = new Uint8Array(length)
      return Effect.map(readInto(start, bytes), () => {
        remember(key, bytes)
        return bytes
      })
    })
  }
  return {
    untilEnd: ({ usedLength }, offset) => Math.min(pieceBytes - (offset % pieceBytes), usedLength - offset),
    read: (idstr, offset, length) => {
      const block = Invariant.defined(blocks.get(idstr), "the source has every block of its ledger")
      const first = Math.floor(offset / pieceBytes)
      const last = Math.floor((offset + length - 1) / pieceBytes)
      const from = offset - first * pieceBytes
      if (first === last) return Effect.map(piece(block, first), (bytes) => bytes.subarray(from, from + length))
      return Effect.gen(function* () {
        const all = new Uint8Array(length)
        for (let index = first; index <= last; index++) {
          const bytes = yield* piece(block, index)
          const at = index * pieceBytes - offset
          const part = at < 0 ? bytes.subarray(-at) : bytes
          all.set(part.subarray(0, length - Math.max(0, at)), Math.max(0, at))
        }
        return all
      })
    }
  }
}
