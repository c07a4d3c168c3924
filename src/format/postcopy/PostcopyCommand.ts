/**
 * The commands of a postcopy migration: the source sends them on the main connection between the sections of the
 * stream.
 *
 * ```text
 *   08  u16 command  u16 n  n bytes
 *
 *   0001  n 0     OPEN_RETURN_PATH
 *   0002  n 4     PING            u32 value                                  → PONG
 *   0003  n 16    ADVISE          u64 host page sizes, or-ed   u64 target page size
 *   0004  n 0     LISTEN          first in the package
 *   0005  n 0     RUN             last in the package
 *   0006          RAM_DISCARD     u8 0   str8 block   u8 0   (u64 start  u64 length)+
 *   0007  n 4     PACKAGED        u32 length of what follows, the package
 *   0009  n 0     RESUME          only after a broken connection             → RESUME_ACK
 *   000a          RECV_BITMAP     str8 block                                 → RECV_BITMAP, `ReceivedBitmap`
 *   000b  n 0     SWITCHOVER_START
 * ```
 *
 * Source of the format: migrations between two QEMUs, 10.0.2 and 11.1.3, through a relay.
 *
 * @since 0.1.0
 */
import type * as Result from "effect/Result"
import type * as Finding from "../Finding.ts"
import { ByteWriter } from "../internal/byteWriter.ts"
import { SectionType } from "../internal/constants.ts"
import { type Cursor, decodeWith, type Steps, stop } from "../internal/cursor.ts"
import { type CommandHead, readCommandHead, stopAtCommand } from "../stream/internal/framing.ts"
import type { Decoded } from "../stream/MigrationStream.ts"

/**
 * A range of a RAM block, in bytes.
 *
 * @stability unstable
 * @category models
 * @since 0.1.0
 */
export interface Range {
  /** Bytes from the start of the block. */
  readonly offset: number
  /** Bytes. */
  readonly length: number
}

/**
 * A command, with the contents of its body.
 *
 * @stability unstable
 * @category models
 * @since 0.1.0
 */
export type PostcopyCommand =
  | { readonly _tag: "OpenReturnPath" | "Listen" | "Run" | "Resume" | "SwitchoverStart" }
  | { readonly _tag: "Ping"; /** Comes back in the PONG. */ readonly value: number }
  | {
      readonly _tag: "Advise"
      /** Bytes: the host page sizes of all RAM blocks of the destination, or-ed. */
      readonly hostPageSizes: number
      /** Bytes. */
      readonly targetPageSize: number
    }
  | {
      readonly _tag: "Discard"
      readonly idstr: string
      /** At least one; QEMU sends up to 12. Whole host pages inside the block: QEMU aborts at a range past its end. */
      readonly ranges: ReadonlyArray<Range>
    }
  | { readonly _tag: "Packaged"; /** Bytes of the package. */ readonly length: number }
  | { readonly _tag: "RequestBitmap"; readonly idstr: string }

type Tag = PostcopyCommand["_tag"]

const numbers: Readonly<Record<Tag, number>> = {
  OpenReturnPath: 1,
  Ping: 2,
  Advise: 3,
  Listen: 4,
  Run: 5,
  Discard: 6,
  Packaged: 7,
  Resume: 9,
  RequestBitmap: 10,
  SwitchoverStart: 11
}

const tags: ReadonlyMap<number, Tag> = new Map(Object.entries(numbers).map(([tag, number]) => [number, tag as Tag]))

/** The only existing version of RAM_DISCARD. */
const DISCARD_VERSION = 0
const RANGE_BYTES = 16

/**
 * Most ranges that fit in one RAM_DISCARD of a block with the longest name. QEMU sends at most 12.
 *
 * @stability unstable
 * @category constants
 * @since 0.1.0
 */
export const MAX_RANGES: number = Math.floor((0xffff - 258) / RANGE_BYTES)

const encodeBody = (command: PostcopyCommand): ByteWriter => {
  const out = new ByteWriter()
  switch (command._tag) {
    case "Ping":
      return out.u32(command.value)
    case "Advise":
      return out.u64(command.hostPageSizes).u64(command.targetPageSize)
    case "Discard":
      out.u8(DISCARD_VERSION).str8(command.idstr).u8(0)
      for (const { length, offset } of command.ranges) out.u64(offset).u64(length)
      return out
    case "Packaged":
      return out.u32(command.length)
    case "RequestBitmap":
      return out.str8(command.idstr)
    default:
      return out
  }
}

/**
 * Encodes a command with its body.
 *
 * **Example** (The last command of a package)
 *
 * ```ts
 * import { PostcopyCommand } from "effect-multifd/format"
 *
 * PostcopyCommand.encode({ _tag: "Run" }) // => 08 00 05 00 00
 * ```
 *
 * @stability unstable
 * @category encoding
 * @since 0.1.0
 */
export const encode = (command: PostcopyCommand): Uint8Array => {
  const body = encodeBody(command).finish()
  return new ByteWriter().u8(SectionType.command).u16(numbers[command._tag]).u16(body.length).append(body).finish()
}

/**
 * Reads the command at `position`. Fails with `command-corrupt`, with `command-unsupported` at a command of another
 * kind of migration, with `name-invalid`, `number-too-large`, or with `stream-cut` for fewer bytes.
 *
 * @stability unstable
 * @category decoding
 * @since 0.1.0
 */
export const decode = (bytes: Uint8Array, position = 0): Result.Result<Decoded<PostcopyCommand>, Finding.Finding> =>
  decodeWith(bytes, position, read)

/** @internal */
export function* read(cursor: Cursor): Steps<PostcopyCommand> {
  const start = cursor.position
  const [type] = yield* cursor.peek(1)
  if (type !== undefined && type !== SectionType.command) {
    yield* stop({ code: "section-unexpected", offset: start, expected: "a command", found: `byte ${type}` })
  }
  const head = yield* readCommandHead(cursor)
  const tag = tags.get(head.command)
  if (tag === undefined) return yield* stopAtCommand(head, "a command of a postcopy migration")
  const end = cursor.position + head.length
  const command = yield* readBody(cursor, tag, head)
  if (cursor.position !== end) yield* wrongLength(head, `${cursor.position - end + head.length} bytes`)
  return command
}

const wrongLength = ({ command, length, offset }: CommandHead, expected: string) =>
  stop({
    code: "command-corrupt",
    offset,
    expected: `${expected} behind command ${command}`,
    found: `${length} bytes`
  })

/** The fixed lengths of bodies. */
const exactLengths: Partial<Readonly<Record<Tag, number>>> = { Advise: 16, Listen: 0, Run: 0, Packaged: 4, Resume: 0 }

function* readBody(cursor: Cursor, tag: Tag, head: CommandHead): Steps<PostcopyCommand> {
  const exact = exactLengths[tag]
  if (exact !== undefined && exact !== head.length) yield* wrongLength(head, `${exact} bytes`)
  switch (tag) {
    case "Ping":
      return { _tag: tag, value: yield* cursor.u32("the value of PING") }
    case "Advise": {
      const hostPageSizes = yield* cursor.u64("the host page sizes")
      return { _tag: tag, hostPageSizes, targetPageSize: yield* cursor.u64("the target page size") }
    }
    case "Discard":
      return yield* readDiscard(cursor, head)
    case "Packaged":
      return { _tag: tag, length: yield* cursor.u32("the length of the package") }
    case "RequestBitmap":
      return { _tag: tag, idstr: yield* cursor.str8("the name of a block") }
    default:
      return { _tag: tag }
  }
}

function* readDiscard(cursor: Cursor, head: CommandHead): Steps<PostcopyCommand> {
  const start = cursor.position
  const version = yield* cursor.u8("the version of RAM_DISCARD")
  const idstr = yield* cursor.str8("the name of a block")
  const end = yield* cursor.u8("the end of the name")
  if (version !== DISCARD_VERSION || end !== 0) {
    const found = `version ${version}, end ${end}`
    yield* stop({ code: "command-corrupt", offset: start, expected: "version 0, a name that ends with 0", found })
  }
  const bytes = head.length - (cursor.position - start)
  if (bytes < RANGE_BYTES || bytes % RANGE_BYTES !== 0) {
    yield* wrongLength(head, `a name and one or more ranges of ${RANGE_BYTES} bytes`)
  }
  const ranges: Array<Range> = []
  for (let left = bytes; left > 0; left -= RANGE_BYTES) {
    ranges.push({
      offset: yield* cursor.u64("the start of a range"),
      length: yield* cursor.u64("the length of a range")
    })
  }
  return { _tag: "Discard", idstr, ranges }
}
