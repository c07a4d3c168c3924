/**
 * The init packet: the first 64 bytes of every multifd channel, and the only ones that identify the channel.
 *
 * Big-endian:
 *
 * ```text
 *    0  u32  magic      11223344
 *    4  u32  version    1
 *    8  16   uuid       the guest's, in textual order; zeros where none is set
 *   24  u8   id         0 .. N-1, each exactly once
 *   25  39   reserved   0
 * ```
 *
 * @since 0.1.0
 */
import * as Result from "effect/Result"
import { Buffer } from "node:buffer"
import * as Invariant from "../../ram/Invariant.ts"
import * as Finding from "../Finding.ts"
import { checkMagic, checkReserved, fieldsOf, PACKET_MAGIC, setMagic } from "./internal/packetFields.ts"
import * as Uuid from "../Uuid.ts"

/**
 * Bytes of an init packet.
 *
 * @stability unstable
 * @category constants
 * @since 0.1.0
 */
export const LENGTH: number = 64

/**
 * The first four bytes of every multifd channel and of every packet on it, as a number.
 *
 * @stability unstable
 * @category constants
 * @since 0.1.0
 */
export const MAGIC: number = PACKET_MAGIC

/**
 * Most channels in a migration: the id has one byte, and so has QEMU's parameter.
 *
 * @stability unstable
 * @category constants
 * @since 0.1.0
 */
export const MAX_CHANNELS: number = 255

/**
 * A channel's introduction.
 *
 * @stability unstable
 * @category models
 * @since 0.1.0
 */
export interface Init {
  /** 16 bytes in the order of the UUID's text; zeros if the guest has none. */
  readonly uuid: Uint8Array
  /** 0 to 255. */
  readonly id: number
}

/**
 * The UUID of a guest that has none.
 *
 * @stability unstable
 * @category constants
 * @since 0.1.0
 */
export const noUuid = (): Uint8Array => new Uint8Array(16)

const UUID_AT = 8
const ID_AT = 24
const RESERVED_AT = 25

/**
 * Encodes an init packet, 64 bytes.
 *
 * @stability unstable
 * @category encoding
 * @since 0.1.0
 */
export const encode = ({ id, uuid }: Init): Uint8Array => {
  const bytes = new Uint8Array(LENGTH)
  setMagic(fieldsOf(bytes, 0).view)
  bytes.set(uuid, UUID_AT)
  bytes[ID_AT] = id
  return bytes
}

/**
 * Reads an init packet at the start of `bytes`.
 *
 * **Details**
 *
 * Fails with `packet-magic-wrong`, `packet-version-unsupported`, `packet-reserved-set`, or `stream-cut` for fewer than
 * 64 bytes. Reserved bytes must be zero here; QEMU ignores them. The UUID is a copy.
 *
 * **Example** (A channel introduces itself)
 *
 * ```ts
 * import * as Result from "effect/Result"
 * import { MultifdInit } from "effect-multifd/format"
 *
 * const packet = MultifdInit.encode({ uuid: MultifdInit.noUuid(), id: 1 })
 * Result.getOrThrow(MultifdInit.decode(packet)).id // => 1
 * ```
 *
 * @stability unstable
 * @category decoding
 * @since 0.1.0
 */
export const decode = (bytes: Uint8Array): Result.Result<Init, Finding.Finding> => {
  const fields = fieldsOf(bytes, 0)
  const finding = checkMagic(fields, LENGTH, "an init packet") ?? checkReserved(fields, RESERVED_AT, LENGTH)
  if (finding !== undefined) return Result.fail(finding)
  return Result.succeed({
    uuid: bytes.slice(UUID_AT, ID_AT),
    id: Invariant.defined(bytes[ID_AT], "an init packet has all its bytes")
  })
}

/**
 * Checks the introduction of a channel and returns the problem, if there is one.
 *
 * **Details**
 *
 * Codes `init-uuid-mismatch`, `init-id-out-of-range` and `init-id-duplicated`. QEMU 10.0 accepts the id N and uses it
 * as an index; here it is out of range.
 *
 * @stability unstable
 * @category checks
 * @since 0.1.0
 */
export const check = (
  init: Init,
  expected: {
    /** Number of channels, N. */
    readonly channels: number
    /** The guest's UUID, 16 bytes; QEMU compares zeros as well. `undefined` accepts any. */
    readonly uuid?: Uint8Array | undefined
    /** `true` if a channel with this id has already connected. */
    readonly isTaken: (id: number) => boolean
  }
): Finding.Finding | undefined => {
  const { channels, isTaken, uuid } = expected
  if (uuid !== undefined && Buffer.compare(uuid, init.uuid) !== 0) {
    const [wanted, found] = [Uuid.format(uuid), Uuid.format(init.uuid)]
    return Finding.make({ code: "init-uuid-mismatch", offset: UUID_AT, expected: wanted, found })
  }
  const found = `id ${init.id}`
  if (init.id >= channels) {
    return Finding.make({ code: "init-id-out-of-range", offset: ID_AT, expected: `an id below ${channels}`, found })
  }
  if (isTaken(init.id)) {
    return Finding.make({
      code: "init-id-duplicated",
      offset: ID_AT,
      expected: "each id once",
      found: `${found} again`
    })
  }
  return undefined
}
