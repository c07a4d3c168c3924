/**
 * Reads a range of a block of a machine at rest, piece by piece.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import type { MigrationRequestError } from "../snapshot/MigrationRequestError.ts"
import * as SnapshotSource from "../snapshot/SnapshotSource.ts"
import { chunkSize } from "./internal/chunks.ts"

/**
 * A range of a block.
 *
 * @stability unstable
 * @category models
 * @since 0.1.0
 */
export interface Range {
  /** The name of the block. */
  readonly block: string
  /** Bytes from the start of the block. Default 0. */
  readonly offset?: number | undefined
  /** Bytes. Default: all up to the end of the block. */
  readonly length?: number | undefined
}

/**
 * The bytes of a range, in order, in pieces of at most 1 MiB, or of a unit of the source if that is longer. Absent
 * pages are zeros. Fails with `MigrationRequestError` for a range that the source does not have, before anything is
 * read.
 *
 * **Example** (Some memory into a file)
 *
 * ```ts
 * import { NodeFileSystem } from "@effect/platform-node"
 * import { Effect, FileSystem, Stream } from "effect"
 * import { Image } from "effect-multifd"
 * import { Dump } from "effect-multifd/look"
 *
 * export const dump = Effect.gen(function* () {
 *   const image = yield* Image.open("vm.img")
 *   const files = yield* FileSystem.FileSystem
 *   yield* Stream.run(Dump.run(image, { block: "pc.ram", length: 2 ** 20 }), files.sink("first-mib"))
 * }).pipe(Effect.scoped, Effect.provide(NodeFileSystem.layer))
 * ```
 *
 * @stability unstable
 * @category running
 * @since 0.1.0
 */
export const run = <E>(
  source: SnapshotSource.SnapshotSource<E>,
  { block: idstr, offset = 0, length }: Range
): Stream.Stream<Uint8Array, E | MigrationRequestError> =>
  Stream.unwrap(
    Effect.gen(function* () {
      const { usedLength } = yield* SnapshotSource.findBlock(source, idstr)
      const bytes = length ?? Math.max(0, usedLength - offset)
      yield* SnapshotSource.findBlock(source, idstr, { offset, length: bytes })
      const read = ({ from, to }: Piece) => SnapshotSource.readPages(source, idstr, from, to - from)
      return Stream.fromIterable(piecesOf(offset, offset + bytes, chunkSize(source)), { chunkSize: 1 }).pipe(
        Stream.mapEffect(read)
      )
    })
  )

interface Piece {
  readonly from: number
  readonly to: number
}

/** Cut where units begin, so that each unit is verified once. */
function* piecesOf(start: number, end: number, size: number): Generator<Piece> {
  for (let from = start; from < end;) {
    const to = Math.min(end, (Math.floor(from / size) + 1) * size)
    yield { from, to }
    from = to
  }
}
