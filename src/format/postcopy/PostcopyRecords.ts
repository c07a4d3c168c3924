/**
 * Pages after the package of a postcopy migration, and on its channel for urgent pages. `RamRecords` writes them.
 *
 * ```text
 *   u64 offset + 02  [str8 block]  00          ZERO
 *   u64 offset + 08  [str8 block]  one page    PAGE
 *              + 20  CONTINUE: no name, the block of the record before on this channel
 *   u64          10                            EOS, which ends a PART; not on the channel for urgent pages
 * ```
 *
 * A destination accepts nothing else: each page once, and all target pages of a host page in ascending order without
 * others in between.
 *
 * Source of the format: migrations between two QEMUs, 10.0.2 and 11.1.3, through a relay.
 *
 * @since 0.1.0
 */
import type * as Result from "effect/Result"
import type { Shape } from "../../ram/RamBlock.ts"
import type * as Finding from "../Finding.ts"
import { RamFlag } from "../internal/constants.ts"
import { attempt, Cursor, decodeWith, type Steps, stop } from "../internal/cursor.ts"
import type { Parser } from "../Parser.ts"
import { describeRecord, readRamRecord } from "../stream/internal/framing.ts"
import type { Decoded } from "../stream/MigrationStream.ts"

/**
 * A record.
 *
 * @stability unstable
 * @category models
 * @since 0.1.0
 */
export type PostcopyRecord =
  | {
      readonly _tag: "Page"
      readonly idstr: string
      /** Bytes from the start of the block. */
      readonly offset: number
      /** The page; not copied. */
      readonly bytes: Uint8Array
    }
  | { readonly _tag: "Zero"; readonly idstr: string; /** Bytes from the start of the block. */ readonly offset: number }
  | { readonly _tag: "EndOfSection" }

/**
 * The context for reading a record.
 *
 * @stability unstable
 * @category models
 * @since 0.1.0
 */
export interface Context {
  /** All announced blocks. */
  readonly blocks: ReadonlyArray<Shape>
  /** The block of the previous record on the same channel; `undefined`: there was none. */
  readonly last: string | undefined
  /** `true` for the channel for urgent pages, which has no sections. Default `false`. */
  readonly urgent?: boolean | undefined
}

/**
 * Reads the record at `position`. Fails with the `record-…` findings, with `name-invalid`, or with `stream-cut` for
 * fewer bytes.
 *
 * @stability unstable
 * @category decoding
 * @since 0.1.0
 */
export const decode = (
  bytes: Uint8Array,
  context: Context,
  position = 0
): Result.Result<Decoded<PostcopyRecord>, Finding.Finding> =>
  decodeWith(bytes, position, (cursor) => read(cursor, context))

/**
 * The same as a parser, for bytes that have not arrived yet.
 *
 * @stability unstable
 * @category decoding
 * @since 0.1.0
 */
export const parser = (
  context: Context,
  position: number
): Parser<Result.Result<Decoded<PostcopyRecord>, Finding.Finding>> => {
  function* steps(): Steps<Decoded<PostcopyRecord>> {
    const cursor = new Cursor(position)
    const value = yield* read(cursor, context)
    return { value, end: cursor.position }
  }
  return attempt(steps())
}

function* read(cursor: Cursor, context: Context): Steps<PostcopyRecord> {
  const record = yield* readRamRecord(cursor)
  const { address, flags, offset } = record
  if (flags === RamFlag.endOfSection && address === 0 && context.urgent !== true) return { _tag: "EndOfSection" }
  const kind = flags & ~RamFlag.continue
  if (kind !== RamFlag.page && kind !== RamFlag.zero) {
    const expected = context.urgent === true ? "PAGE or ZERO" : "PAGE, ZERO or EOS"
    return yield* stop({ code: "record-unexpected", offset, expected, found: describeRecord(record) })
  }
  const block = flags === kind ? yield* readBlock(cursor, context) : yield* lastBlock(offset, context)
  yield* checkOffset(block, address, offset)
  const { idstr, pageSize } = block
  if (kind === RamFlag.page) {
    return { _tag: "Page", idstr, offset: address, bytes: yield* cursor.take(pageSize, "a page") }
  }
  const at = cursor.position
  const fill = yield* cursor.u8("the fill byte of a zero page")
  if (fill !== 0) yield* stop({ code: "record-fill-wrong", offset: at, block: idstr, expected: "0", found: `${fill}` })
  return { _tag: "Zero", idstr, offset: address }
}

/** If the stream is out of step, the bytes in place of a name may be guest memory, so they are not quoted. */
function* readBlock(cursor: Cursor, { blocks }: Context): Steps<Shape> {
  const offset = cursor.position
  const name = yield* cursor.str8("the name of a block")
  const block = blocks.find(({ idstr }) => idstr === name)
  if (block !== undefined) return block
  const found = `a name of ${Buffer.byteLength(name)} bytes`
  return yield* stop({ code: "record-block-unknown", offset, expected: "an announced block", found })
}

function* lastBlock(offset: number, { blocks, last }: Context): Steps<Shape> {
  const block = blocks.find(({ idstr }) => idstr === last)
  if (block !== undefined) return block
  return yield* stop({
    code: "record-block-missing",
    offset,
    expected: "a block's name in an earlier record",
    found: "none"
  })
}

function* checkOffset({ idstr, pageSize, usedLength }: Shape, address: number, offset: number): Steps<void> {
  const last = usedLength - pageSize
  if (address > last) {
    const expected = `an offset up to ${last}`
    yield* stop({ code: "record-offset-out-of-range", offset, block: idstr, expected, found: `${address}` })
  }
  if (address % pageSize === 0) return
  const expected = `a multiple of ${pageSize}`
  yield* stop({ code: "record-offset-misaligned", offset, block: idstr, expected, found: `${address}` })
}
