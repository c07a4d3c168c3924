/**
 * Packets of device state on a multifd channel, between the packets of RAM. Devices that support it (vfio, from QEMU
 * 10.0) send their state over all channels. Only the device knows the contents and the order of the payloads.
 *
 * Big-endian:
 *
 * ```text
 *      0  u32  magic          11223344
 *      4  u32  version        1
 *      8  u32  flags          40
 *     12  256  name of the device, ended by a zero byte
 *    268  u32  instance id
 *    272  u32  payload        bytes that follow, at least 1
 *    276       payload
 * ```
 *
 * @since 0.1.0
 */
import * as Result from "effect/Result"
import * as Finding from "../Finding.ts"
import {
  checkMagic,
  type Fields,
  fieldsOf,
  getName,
  NAME_BYTES,
  setMagic,
  setName,
  showName
} from "./internal/packetFields.ts"
import { Flag, MAX_PAYLOAD_BYTES } from "./MultifdPacket.ts"

const FLAGS_AT = 8
const NAME_AT = 12
const INSTANCE_AT = NAME_AT + NAME_BYTES
const PAYLOAD_AT = INSTANCE_AT + 4

/**
 * Bytes of the header of a packet of device state.
 *
 * @stability unstable
 * @category constants
 * @since 0.1.0
 */
export const HEADER_LENGTH: number = PAYLOAD_AT + 4

/**
 * A packet of device state without its payload.
 *
 * @stability unstable
 * @category models
 * @since 0.1.0
 */
export interface DeviceStatePacket {
  /** The device, 1 to 255 bytes of UTF-8. */
  readonly idstr: string
  readonly instanceId: number
  /** Bytes after the header, at least 1. */
  readonly payloadLength: number
}

/**
 * Reads the header of a device-state packet, at the start of `header`.
 *
 * **Details**
 *
 * Codes: `packet-magic-wrong`, `packet-version-unsupported`, `stream-cut` for fewer than 276 bytes,
 * `device-packet-flags-wrong`, `device-packet-name-invalid`, `device-packet-empty` and
 * `device-packet-payload-exceeded`.
 *
 * @stability unstable
 * @category decoding
 * @since 0.1.0
 */
export const decode = (
  header: Uint8Array,
  options: {
    /** Most bytes of payload. Default 1 MiB, the most that QEMU's devices send. */
    readonly maxPayload?: number | undefined
    /** Position of the packet on the connection, for findings. Default 0. */
    readonly position?: number | undefined
  } = {}
): Result.Result<DeviceStatePacket, Finding.Finding> => {
  const { maxPayload = MAX_PAYLOAD_BYTES, position = 0 } = options
  const fields = fieldsOf(header, position)
  const finding =
    checkMagic(fields, HEADER_LENGTH, "a packet of device state") ??
    checkFlags(fields) ??
    checkPayload(fields, maxPayload)
  if (finding !== undefined) return Result.fail(finding)
  const idstr = getName(fields, NAME_AT)
  if (idstr === undefined || idstr === "") return Result.fail(invalidName(fields))
  const instanceId = fields.view.getUint32(INSTANCE_AT)
  return Result.succeed({ idstr, instanceId, payloadLength: fields.view.getUint32(PAYLOAD_AT) })
}

/** Device state is never combined with SYNC or a compression flag. */
const checkFlags = ({ position, view }: Fields): Finding.Finding | undefined => {
  const flags = view.getUint32(FLAGS_AT)
  if (flags === Flag.deviceState) return undefined
  const [expected, found] = [Flag.deviceState, flags].map((flags) => `flags 0x${flags.toString(16)}`) as [
    string,
    string
  ]
  return Finding.make({ code: "device-packet-flags-wrong", offset: position + FLAGS_AT, expected, found })
}

const checkPayload = ({ position, view }: Fields, maxPayload: number): Finding.Finding | undefined => {
  const length = view.getUint32(PAYLOAD_AT)
  const offset = position + PAYLOAD_AT
  if (length === 0) return Finding.make({ code: "device-packet-empty", offset, expected: "a payload", found: "none" })
  if (length <= maxPayload) return undefined
  const [expected, found] = [`at most ${maxPayload} bytes`, `${length} bytes`]
  return Finding.make({ code: "device-packet-payload-exceeded", offset, expected, found })
}

const invalidName = (fields: Fields): Finding.Finding =>
  Finding.make({
    code: "device-packet-name-invalid",
    offset: fields.position + NAME_AT,
    expected: "1 to 255 bytes of UTF-8 and a zero byte",
    found: showName(fields, NAME_AT)
  })

/**
 * Encodes the header of a device-state packet, 276 bytes. The caller sends the payload.
 *
 * @stability unstable
 * @category encoding
 * @since 0.1.0
 */
export const encode = ({ idstr, instanceId, payloadLength }: DeviceStatePacket): Uint8Array => {
  const bytes = new Uint8Array(HEADER_LENGTH)
  const { view } = fieldsOf(bytes, 0)
  setMagic(view)
  view.setUint32(FLAGS_AT, Flag.deviceState)
  setName(bytes, NAME_AT, idstr)
  view.setUint32(INSTANCE_AT, instanceId)
  view.setUint32(PAYLOAD_AT, payloadLength)
  return bytes
}
