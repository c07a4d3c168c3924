/**
 * The return path: messages from a destination to the source on the main connection, if the source asked for them with
 * OPEN_RETURN_PATH.
 *
 * ```text
 *   0  u16  type      1 SHUT, 2 PONG, 3 .. 6 of postcopy, 7 SWITCHOVER_ACK
 *   2  u16  length
 *   4       body      SHUT: u32, 0 if all is well; PONG: u32, that of the PING
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
import * as Finding from "../Finding.ts"
import { ByteWriter } from "../internal/byteWriter.ts"
import { view } from "../internal/cursor.ts"

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
 * A message from the destination. Those of a postcopy migration are named and kept unchanged.
 *
 * @stability unstable
 * @category models
 * @since 0.1.0
 */
export type Message =
  | { readonly _tag: "Shut"; /** 0: everything was loaded. */ readonly value: number }
  | { readonly _tag: "Pong"; /** What the PING said. */ readonly value: number }
  | { readonly _tag: "SwitchoverAck" }
  | {
      readonly _tag: "RequestPages" | "RequestPagesOfBlock" | "ReceivedBitmap" | "ResumeAck"
      readonly body: Uint8Array
    }

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
  const { number } = kinds.find(({ tag }) => tag === message._tag)!
  return new ByteWriter().u16(number).u16(body.length).append(body).finish()
}

const encodeBody = (message: Message): Uint8Array => {
  if ("body" in message) return message.body
  return "value" in message ? new ByteWriter().u32(message.value).finish() : new Uint8Array(0)
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
 * Decodes the message with this body, whose length is in the header. Fails with `stream-cut` for fewer bytes.
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
  switch (type) {
    case "Shut":
    case "Pong":
      return Result.succeed({ _tag: type, value: view(bytes).getUint32(0) })
    case "SwitchoverAck":
      return Result.succeed({ _tag: type })
    default:
      return Result.succeed({ _tag: type, body: bytes.slice(0, length) })
  }
}

const cut = (bytes: Uint8Array, length: number, offset: number): Finding.Finding => {
  const [expected, found] = [`a message of the return path, ${length} bytes`, `${bytes.length} bytes`]
  return Finding.make({ code: "stream-cut", offset, expected, found })
}
