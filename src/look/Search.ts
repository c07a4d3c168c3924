/**
 * Finds bytes in the memory of a machine at rest.
 *
 * @since 0.1.0
 */
import { Buffer } from "node:buffer"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import * as Problem from "../ram/Problem.ts"
import { MigrationRequestError } from "../snapshot/MigrationRequestError.ts"
import * as SnapshotSource from "../snapshot/SnapshotSource.ts"
import { chunkSize, chunkStarts, isPresent } from "./internal/chunks.ts"

/**
 * A place in memory with the bytes searched for.
 *
 * @stability unstable
 * @category models
 * @since 0.1.0
 */
export interface Match {
  /** The name of the block. */
  readonly block: string
  /** Bytes from the start of the block. */
  readonly offset: number
}

/**
 * Options of a search.
 *
 * @stability unstable
 * @category models
 * @since 0.1.0
 */
export interface Options {
  /** The name of the only block to search. Default: all blocks, in their order. */
  readonly block?: string | undefined
}

/**
 * The longest pattern, in bytes.
 *
 * @stability unstable
 * @category constants
 * @since 0.1.0
 */
export const maxPatternLength = 65_536

/** Pieces that are read while the one before them is searched. */
const READS = 3

type Block<E> = SnapshotSource.SnapshotSource<E>["blocks"][number]

/** A piece of a block. */
interface Piece {
  readonly offset: number
  readonly bytes: Buffer
}

const readPiece = <E>({ reader, usedLength }: Block<E>, offset: number, size: number): Effect.Effect<Piece, E> =>
  Effect.suspend(() => {
    const bytes = Buffer.allocUnsafeSlow(Math.min(size, usedLength - offset))
    return Effect.as(reader.readInto(offset, bytes), { offset, bytes })
  })

/** The offsets of all matches, overlapping ones too. */
const matchesIn = (bytes: Buffer, pattern: Uint8Array): ReadonlyArray<number> => {
  const found: Array<number> = []
  for (let at = bytes.indexOf(pattern); at >= 0; at = bytes.indexOf(pattern, at + 1)) found.push(at)
  return found
}

/** Searches the pieces of one block, in order; a match may begin in one piece and end in the next. */
class Searcher {
  readonly #pattern: Uint8Array
  /** The last bytes of the piece before, one fewer than the pattern has. */
  #kept: Piece = { offset: 0, bytes: Buffer.alloc(0) }

  constructor(pattern: Uint8Array) {
    this.#pattern = pattern
  }

  next({ bytes, offset }: Piece): ReadonlyArray<number> {
    const reach = this.#pattern.length - 1
    const isNext = this.#kept.offset + this.#kept.bytes.length === offset
    const kept = isNext ? this.#kept.bytes : Buffer.alloc(0)
    const border = Buffer.concat([kept, bytes.subarray(0, reach)])
    // Matches that begin in the kept bytes end after them, because they are shorter than the pattern.
    const across = matchesIn(border, this.#pattern).filter((at) => at < kept.length)
    const start = Math.max(0, bytes.length - reach)
    // A copy, so that the piece itself is not kept alive.
    const last = bytes.length >= reach ? Buffer.from(bytes.subarray(start)) : border.subarray(-reach)
    this.#kept = { offset: offset + bytes.length - last.length, bytes: last }
    return [
      ...across.map((at) => offset - kept.length + at),
      ...matchesIn(bytes, this.#pattern).map((at) => offset + at)
    ]
  }
}

const inBlock =
  (pattern: Uint8Array, size: number) =>
  <E>(block: Block<E>): Stream.Stream<Match, E> =>
    Stream.suspend(() => {
      const searcher = new Searcher(pattern)
      const matchesOf = (piece: Piece): ReadonlyArray<Match> =>
        searcher
          .next(piece)
          .filter((offset) => isPresent(block, offset, pattern.length))
          .map((offset) => ({ block: block.idstr, offset }))
      return Stream.fromIterable(chunkStarts([block], size, pattern.length - 1), { chunkSize: READS }).pipe(
        Stream.mapEffect((offset: number) => readPiece(block, offset, size), { concurrency: READS }),
        Stream.map(matchesOf),
        Stream.flattenIterable
      )
    })

const refuse = (reason: string, remedy: string) =>
  new MigrationRequestError({ operation: "read", problems: [Problem.make(reason, remedy)] })

/**
 * All places where memory holds `pattern`, block by block, in ascending order.
 *
 * **Details**
 *
 * Matches lie inside one block, and may overlap. Absent pages are skipped, and count as zeros next to a present page:
 * at least one byte of a match is in a present page. About 4 MiB are in memory at a time, or four units of a source
 * whose units are longer, whatever the size of the machine. The stream reads no more than its consumer takes.
 *
 * A string is searched as UTF-8. For another encoding, encode it first.
 *
 * **Gotchas**
 *
 * A pattern of zeros matches at nearly every offset of a zero page that is present.
 *
 * **Failure effect**
 *
 * Fails with `MigrationRequestError` if `pattern` is empty or longer than `maxPatternLength`, or if there is no such
 * block. Nothing was read then. A page that cannot be read ends the search with the error of the source.
 *
 * **Example** (The first ten kernel messages about memory)
 *
 * ```ts
 * import { Effect, Stream } from "effect"
 * import { Image } from "effect-multifd"
 * import { Search } from "effect-multifd/look"
 *
 * export const found = Effect.gen(function* () {
 *   const image = yield* Image.open("vm.img")
 *   return yield* Search.run(image, "Memory: ").pipe(Stream.take(10), Stream.runCollect)
 * }).pipe(Effect.scoped)
 * ```
 *
 * @stability unstable
 * @category running
 * @since 0.1.0
 */
export const run = <E>(
  source: SnapshotSource.SnapshotSource<E>,
  pattern: string | Uint8Array,
  { block }: Options = {}
): Stream.Stream<Match, E | MigrationRequestError> => {
  const bytes = Buffer.from(pattern)
  const start = Effect.gen(function* () {
    if (bytes.length === 0) return yield* refuse("the pattern is empty", "search for at least one byte")
    if (bytes.length > maxPatternLength) {
      return yield* refuse(`the pattern has ${bytes.length} bytes`, `use at most ${maxPatternLength} bytes`)
    }
    const blocks =
      block === undefined
        ? SnapshotSource.blocksWithPages(source)
        : [yield* SnapshotSource.findBlock<Block<E>>(source, block)]
    return Stream.flatMap(Stream.fromIterable(blocks), inBlock(bytes, chunkSize(source)))
  })
  return Stream.unwrap(start)
}
