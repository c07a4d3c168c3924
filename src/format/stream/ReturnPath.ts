/**
 * The return path: messages from a destination to the source on the main connection, if the source asked for them with
 * OPEN_RETURN_PATH.
 *
 * ```text
 *   0  u16  type      1 SHUT, 2 PONG, 3 .. 6 of postcopy, 7 SWITCHOVER_ACK
 *   2  u16  length
 *   4       body      1 SHUT            u32, 0 if all is well
 *                     2 PONG            u32, that of the PING
 *                     3 REQ_PAGES_ID    u64 offset  u32 length  str8 block
 *                     4 REQ_PAGES       u64 offset  u32 length     in the block of the last REQ_PAGES_ID
 *                     5 RECV_BITMAP     str8 block                 a bitmap follows (`ReceivedBitmap`)
 *                     6 RESUME_ACK      u32, 1
 * ```
 *
 * ```text
 *   source                               destination
 *     │ ── 08 OPEN_RETURN_PATH, PING 1 ──▶ │
 *     │ ◀────────────────────────── PONG 1 │
 *     │ ── … END, device state, 00 ──────▶ │
 *     │ ◀────────────────────────── SHUT 0 │   loaded: the source completes. SHUT ≠ 0, or the end: it fails
 * ```
 *
 * @since 0.1.0
 */
import * as Result from "effect/Result"
import * as Invariant from "../../ram/Invariant.ts"
import * as Finding from "../Finding.ts"
import { ByteWriter } from "../internal/byteWriter.ts"
import { type Cursor, decodeWith, type Steps, view } from "../internal/cursor.ts"

/**
 * Bytes before each message's body.
 *
 * @stability unstable
 * @category constants
 * @since 0.1.0
 */
export const HEADER_LENGTH: number = 4

/**
 * Longest body that is accepted: QEMU's longest, a request for pages with the name of their block.
 *
 * @stability unstable
 * @category constants
 * @since 0.1.0
 */
export const MAX_BODY_LENGTH: number = 268

/**
 * A message of the destination.
 *
 * @stability unstable
 * @category models
 * @since 0.1.0
 */
export type Message =
  | { readonly _tag: "Shut"; /** 0: everything was loaded. */ readonly value: number }
  | { readonly _tag: "Pong"; /** Value of the PING. */ readonly value: number }
  | { readonly _tag: "ResumeAck"; /** 1. */ readonly value: number }
  | { readonly _tag: "SwitchoverAck" }
  | {
      readonly _tag: "RequestPages"
      /** Bytes from the start of the block of the last `RequestPagesOfBlock`. */
      readonly offset: number
      /** Bytes: one host page of the block. */
      readonly length: number
    }
  | { readonly _tag: "RequestPagesOfBlock"; readonly idstr: string; readonly offset: number; readonly length: number }
  | { readonly _tag: "ReceivedBitmap"; readonly idstr: string }

/**
 * The header of a message.
 *
 * @stability unstable
 * @category models
 * @since 0.1.0
 */
export interface Header {
  readonly type: Message["_tag"]
  /** Bytes of the body, at most {@link MAX_BODY_LENGTH}. */
  readonly length: number
}

interface Kind {
  readonly number: number
  readonly tag: Message["_tag"]
  /** Smallest and largest body, in bytes. */
  readonly minimum: number
  readonly maximum: number
}

const exactly = (length: number) => ({ minimum: length, maximum: length })

const kinds: ReadonlyArray<Kind> = [
  { number: 1, tag: "Shut", ...exactly(4) },
  { number: 2, tag: "Pong", ...exactly(4) },
  { number: 3, tag: "RequestPagesOfBlock", minimum: 14, maximum: MAX_BODY_LENGTH },
  { number: 4, tag: "RequestPages", ...exactly(12) },
  { number: 5, tag: "ReceivedBitmap", minimum: 2, maximum: 256 },
  { number: 6, tag: "ResumeAck", ...exactly(4) },
  { number: 7, tag: "SwitchoverAck", ...exactly(0) }
]

/**
 * Encodes a message, header and body.
 *
 * **Example** (Success)
 *
 * ```ts
 * import { ReturnPath } from "effect-multifd/format"
 *
 * ReturnPath.encode({ _tag: "Shut", value: 0 }) // => 00 01 00 04 00 00 00 00
 * ```
 *
 * @stability unstable
 * @category encoding
 * @since 0.1.0
 */
export const encode = (message: Message): Uint8Array => {
  const body = encodeBody(message)
  const { number } = Invariant.defined(
    kinds.find(({ tag }) => tag === message._tag),
    "every message has a kind"
  )
  return new ByteWriter().u16(number).u16(body.length).append(body).finish()
}

const encodeBody = (message: Message): Uint8Array => {
  const out = new ByteWriter()
  if ("value" in message) out.u32(message.value)
  if ("offset" in message) out.u64(message.offset).u32(message.length)
  if ("idstr" in message) out.str8(message.idstr)
  return out.finish()
}

/**
 * Reads the header of a message, 4 bytes, so that its body can be read. Fails with `return-path-message-unknown`,
 * `return-path-length-wrong`, or `stream-cut` for fewer bytes.
 *
 * @stability unstable
 * @category decoding
 * @since 0.1.0
 */
export const decodeHeader = (bytes: Uint8Array, position = 0): Result.Result<Header, Finding.Finding> => {
  if (bytes.length < HEADER_LENGTH) return Result.fail(cut(bytes, HEADER_LENGTH, position))
  const number = view(bytes).getUint16(0)
  const length = view(bytes).getUint16(2)
  const kind = kinds.find((kind) => kind.number === number)
  if (kind === undefined) {
    const [expected, found] = ["a message from 1 to 7", `${number}`]
    return Result.fail(Finding.make({ code: "return-path-message-unknown", offset: position, expected, found }))
  }
  const { maximum, minimum, tag } = kind
  if (length >= minimum && length <= maximum) return Result.succeed({ type: tag, length })
  const expected = `${minimum === maximum ? minimum : `${minimum} to ${maximum}`} bytes after message ${number}`
  const found = `${length} bytes`
  return Result.fail(Finding.make({ code: "return-path-length-wrong", offset: position + 2, expected, found }))
}

/**
 * Decodes the message with this body, whose length is in the header. Fails with `return-path-length-wrong`,
 * `name-invalid`, `number-too-large`, or `stream-cut` for fewer bytes.
 *
 * @stability unstable
 * @category decoding
 * @since 0.1.0
 */
export const decodeBody = (
  { length, type }: Header,
  bytes: Uint8Array,
  position = HEADER_LENGTH
): Result.Result<Message, Finding.Finding> => {
  if (bytes.length < length) return Result.fail(cut(bytes, length, position))
  const body = bytes.subarray(0, length)
  const decoded = decodeWith(body, 0, (cursor) => readBody(cursor, type))
  if (Result.isFailure(decoded)) {
    const { code, expected, found, offset } = decoded.failure
    // All of the body is there: it is the name that claims to be longer.
    const isTooShort = code === "stream-cut"
    return Result.fail(
      isTooShort ? lengthWrong(length, position) : Finding.make({ code, offset: position + offset, expected, found })
    )
  }
  const { end, value } = decoded.success
  return end === length ? Result.succeed(value) : Result.fail(lengthWrong(length, position))
}

function* readBody(cursor: Cursor, type: Message["_tag"]): Steps<Message> {
  switch (type) {
    case "Shut":
    case "Pong":
    case "ResumeAck":
      return { _tag: type, value: yield* cursor.u32("a value") }
    case "SwitchoverAck":
      return { _tag: type }
    case "ReceivedBitmap":
      return { _tag: type, idstr: yield* readName(cursor) }
    case "RequestPages":
      return { _tag: type, ...(yield* readRange(cursor)) }
    case "RequestPagesOfBlock": {
      const range = yield* readRange(cursor)
      return { _tag: type, idstr: yield* readName(cursor), ...range }
    }
  }
}

function* readRange(cursor: Cursor): Steps<{ readonly offset: number; readonly length: number }> {
  return { offset: yield* cursor.u64("the offset of a page"), length: yield* cursor.u32("the length of a request") }
}

function* readName(cursor: Cursor): Steps<string> {
  return yield* cursor.str8("the name of a block")
}

const lengthWrong = (length: number, offset: number): Finding.Finding => {
  const [expected, found] = ["a body as long as its fields", `${length} bytes`]
  return Finding.make({ code: "return-path-length-wrong", offset, expected, found })
}

const cut = (bytes: Uint8Array, length: number, offset: number): Finding.Finding => {
  const [expected, found] = [`a message of the return path, ${length} bytes`, `${bytes.length} bytes`]
  return Finding.make({ code: "stream-cut", offset, expected, found })
}
