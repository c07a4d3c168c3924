/**
 * The framing of QEMU's migration stream, version 3: everything except the contents of a device.
 *
 * All numbers are unsigned and big-endian; `str8` is a length byte followed by that many bytes of text.
 *
 * ```text
 *   51 45 56 4d  00 00 00 03                              file header: "QEVM", version
 *   07  u32 n, n bytes of machine type                    configuration section
 *       (05 str8 name, u32 version, body)*                its subsections
 *   08  u16 command, u16 n, n bytes                       command
 *   01  u32 id, str8 name, u32 instance, u32 version …    START of a section that comes in parts
 *   02  u32 id …                                          PART
 *   03  u32 id …                                          END
 *   04  u32 id, str8 name, u32 instance, u32 version …    FULL section: one device
 *       … 7e u32 id                                       footer of each of the four
 *   00                                                    end of the stream
 *   06  u32 n, n bytes of JSON                            description, behind the end
 * ```
 *
 * The data of the section "ram" is a sequence of records, each a u64 with flags in its low ten bits and an address in
 * the rest.
 *
 * @since 0.1.0
 */
import type * as Result from "effect/Result"
import type { Finding } from "../Finding.ts"
import { ByteWriter } from "../internal/byteWriter.ts"
import * as constants from "../internal/constants.ts"
import * as configuration from "./internal/configuration.ts"
import { decodeWith } from "../internal/cursor.ts"
import * as framing from "./internal/framing.ts"
import type { Configuration, SectionHeader, Decoded } from "./internal/migrationStreamModel.ts"

export type { Configuration, Decoded, SectionHeader } from "./internal/migrationStreamModel.ts"

/**
 * The first four bytes of every migration stream, "QEVM".
 *
 * @stability unstable
 * @category constants
 * @since 0.1.0
 */
export const MAGIC: number = constants.MAGIC

/**
 * The only version of the stream that is in use.
 *
 * @stability unstable
 * @category constants
 * @since 0.1.0
 */
export const VERSION: number = constants.VERSION

/**
 * The bytes that begin a section, and the two that end something.
 *
 * @stability unstable
 * @category constants
 * @since 0.1.0
 */
export const SectionType = constants.SectionType

/**
 * The flags of a record of the section "ram".
 *
 * @stability unstable
 * @category constants
 * @since 0.1.0
 */
export const RamFlag = constants.RamFlag

/**
 * Commands that a stream may contain without a peer to answer, and their numbers.
 *
 * @stability unstable
 * @category constants
 * @since 0.1.0
 */
export const Command = constants.Command

/**
 * The version of the section "ram" that every QEMU of this century writes.
 *
 * @stability unstable
 * @category constants
 * @since 0.1.0
 */
export const RAM_VERSION: number = constants.RAM_VERSION

/**
 * Encodes the file header, 8 bytes.
 *
 * @stability unstable
 * @category encoding
 * @since 0.1.0
 */
export const encodeFileHeader = (): Uint8Array => new ByteWriter().u32(MAGIC).u32(VERSION).finish()

/**
 * Checks the file header at `position`. Fails with `magic-wrong`, `stream-version-unsupported` or `stream-cut`.
 *
 * @stability unstable
 * @category decoding
 * @since 0.1.0
 */
export const decodeFileHeader = (bytes: Uint8Array, position = 0): Result.Result<Decoded<void>, Finding> =>
  decodeWith(bytes, position, framing.readFileHeader)

/**
 * Encodes a configuration section. Names must fit: a machine type of any length, capabilities of up to 255 bytes.
 *
 * @stability unstable
 * @category encoding
 * @since 0.1.0
 */
export const encodeConfiguration: (configuration: Configuration) => Uint8Array = configuration.encode

/**
 * Reads the configuration section at `position`. The value is `undefined` if another section is there, because a sender
 * may leave the configuration out.
 *
 * @stability unstable
 * @category decoding
 * @since 0.1.0
 */
export const decodeConfiguration = (
  bytes: Uint8Array,
  position = 0
): Result.Result<Decoded<Configuration | undefined>, Finding> => decodeWith(bytes, position, configuration.read)

/**
 * The capabilities of a configuration with one of them set or removed. QEMU lists `x-ignore-shared` first.
 *
 * @stability unstable
 * @category combinators
 * @since 0.1.0
 */
export const withCapability = (
  self: Configuration,
  name: "x-ignore-shared" | "mapped-ram",
  on: boolean
): Configuration => {
  const others = self.capabilities.filter((other) => other !== name)
  if (!on) return { ...self, capabilities: others }
  return { ...self, capabilities: name === "mapped-ram" ? [...others, name] : [name, ...others] }
}

/**
 * Encodes the header of a START, PART, END or FULL section.
 *
 * @stability unstable
 * @category encoding
 * @since 0.1.0
 */
export const encodeSectionHeader = (header: SectionHeader): Uint8Array => {
  const out = new ByteWriter().u8(SectionType[header.type]).u32(header.sectionId)
  if (header.type === "start" || header.type === "full") {
    out.str8(header.name).u32(header.instanceId).u32(header.version)
  }
  return out.finish()
}

/**
 * Reads the header of a section at `position`. Fails with `section-unexpected` for any other type.
 *
 * @stability unstable
 * @category decoding
 * @since 0.1.0
 */
export const decodeSectionHeader = (bytes: Uint8Array, position = 0): Result.Result<Decoded<SectionHeader>, Finding> =>
  decodeWith(bytes, position, framing.readSectionHeader)

/**
 * Encodes the footer that closes a section, 5 bytes.
 *
 * @stability unstable
 * @category encoding
 * @since 0.1.0
 */
export const encodeFooter = (sectionId: number): Uint8Array =>
  new ByteWriter().u8(SectionType.footer).u32(sectionId).finish()

/**
 * Reads the footer of section `sectionId` at `position`. Fails with `footer-missing` or `footer-mismatch`.
 *
 * @stability unstable
 * @category decoding
 * @since 0.1.0
 */
export const decodeFooter = (
  bytes: Uint8Array,
  sectionId: number,
  position = 0
): Result.Result<Decoded<void>, Finding> =>
  decodeWith(bytes, position, (cursor) => framing.readFooter(cursor, sectionId))

/**
 * Encodes a command with its body of up to 65535 bytes.
 *
 * @stability unstable
 * @category encoding
 * @since 0.1.0
 */
export const encodeCommand = (command: number, body: Uint8Array = new Uint8Array(0)): Uint8Array =>
  new ByteWriter().u8(SectionType.command).u16(command).u16(body.length).append(body).finish()

/**
 * Encodes a record of the section "ram": flags and an address in eight bytes.
 *
 * @stability unstable
 * @category encoding
 * @since 0.1.0
 */
export const encodeRamRecord = (flags: number, address = 0): Uint8Array =>
  new ByteWriter().u64(address + flags).finish()

/**
 * Encodes the bytes between the end of the stream and the JSON text, without the end-of-stream byte.
 *
 * @stability unstable
 * @category encoding
 * @since 0.1.0
 */
export const encodeDescriptionHeader = (length: number): Uint8Array =>
  new ByteWriter().u8(SectionType.description).u32(length).finish()
