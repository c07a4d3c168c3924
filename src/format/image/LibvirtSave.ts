/**
 * The header that libvirt writes before a migration stream when it saves a domain.
 *
 * 92 bytes in the byte order of the host that wrote them, which is little-endian on all supported hosts. The migration
 * stream follows directly, without alignment:
 *
 * ```text
 *    0  16  magic           "LibvirtQemudSave"; "LibvirtQemudPart" until the save is complete
 *   16  u32 version         2
 *   20  u32 data length     bytes of XML and cookie
 *   24  u32 was running     0 or 1
 *   28  u32 format          0 raw, 1 gzip, 2 bzip2, 3 xz, 4 lzop, 5 zstd, 6 sparse (mapped-ram)
 *   32  u32 cookie offset   from the start of the XML; 0 where there is no cookie
 *   36  56  unused          0
 *   92      XML, ends with a zero byte │ cookie, ends with a zero byte │ padding
 *   92 + data length        migration stream
 * ```
 *
 * @since 0.1.0
 */
import type * as Result from "effect/Result"
import type { Parser } from "../Parser.ts"
import type { Finding } from "../Finding.ts"
import { attempt, Cursor, decodeWith } from "../internal/cursor.ts"
import {
  FORMATS,
  HEADER_LENGTH,
  MAGIC_COMPLETE,
  MAGIC_PARTIAL,
  readHeader,
  readSave,
  VERSION
} from "./internal/libvirt.ts"
import type { Decoded } from "../stream/MigrationStream.ts"
import * as Uuid from "../Uuid.ts"
import type { Header, LibvirtSave } from "./internal/libvirtModel.ts"

export type { Format, Header, LibvirtSave } from "./internal/libvirtModel.ts"

/**
 * Bytes of the header.
 *
 * @stability unstable
 * @category constants
 * @since 0.1.0
 */
export const HEADER_BYTES: number = HEADER_LENGTH

/**
 * `true` if bytes from the start of a file are, as far as they go, the start of a libvirt save image: complete or
 * partial, of any version and format. Needs at least one byte.
 *
 * @stability unstable
 * @category guards
 * @since 0.1.0
 */
export const isLibvirtSave = (head: Uint8Array): boolean => {
  const magic = Buffer.from(head.subarray(0, MAGIC_COMPLETE.length)).toString("latin1")
  return magic !== "" && [MAGIC_COMPLETE, MAGIC_PARTIAL].some((known) => known.startsWith(magic))
}

/**
 * Reads header, XML and cookie from the start of a file. Fails with `libvirt-save-partial`,
 * `libvirt-version-unsupported`, `libvirt-format-unsupported`, `libvirt-header-corrupt` or `stream-cut`.
 *
 * @stability unstable
 * @category decoding
 * @since 0.1.0
 */
export const parse = (): Parser<Result.Result<LibvirtSave, Finding>> => attempt(readSave(new Cursor(0)))

/**
 * Reads the header at the start of `bytes`, in any format.
 *
 * @stability unstable
 * @category decoding
 * @since 0.1.0
 */
export const decodeHeader = (bytes: Uint8Array): Result.Result<Decoded<Header>, Finding> =>
  decodeWith(bytes, 0, readHeader)

/**
 * Encodes the header of a complete save, 92 bytes.
 *
 * @stability unstable
 * @category encoding
 * @since 0.1.0
 */
export const encodeHeader = (header: Header): Uint8Array => {
  const bytes = new Uint8Array(HEADER_BYTES)
  const view = new DataView(bytes.buffer)
  bytes.set(Buffer.from(MAGIC_COMPLETE, "latin1"))
  const words = [
    VERSION,
    header.dataLength,
    Number(header.wasRunning),
    FORMATS.indexOf(header.format),
    header.cookieOffset
  ]
  for (const [i, word] of words.entries()) view.setUint32(MAGIC_COMPLETE.length + 4 * i, word, true)
  return bytes
}

/**
 * Encodes everything before the migration stream: header, XML and cookie.
 *
 * @stability unstable
 * @category encoding
 * @since 0.1.0
 */
export const encode = (save: Omit<LibvirtSave, "streamOffset">): Uint8Array => {
  const xml = Buffer.from(`${save.xml}\0`)
  const cookie = Buffer.from(save.cookie === undefined ? "" : `${save.cookie}\0`)
  const header = encodeHeader({
    dataLength: xml.length + cookie.length,
    wasRunning: save.wasRunning,
    format: "sparse",
    cookieOffset: cookie.length === 0 ? 0 : xml.length
  })
  return new Uint8Array(Buffer.concat([header, xml, cookie]))
}

/** The domain's own UUID is the first one in the XML. */
const UUID = /<uuid>([^<>]{0,99})<\/uuid>/

/**
 * The UUID of the domain, in lower case; `undefined` if its XML has none.
 *
 * @stability unstable
 * @category getters
 * @since 0.1.0
 */
export const uuidOf = ({ xml }: Pick<LibvirtSave, "xml">): string | undefined => {
  const uuid = Uuid.parse((UUID.exec(xml)?.[1] ?? "").trim())
  return uuid === undefined || Uuid.isNone(uuid) ? undefined : Uuid.format(uuid)
}
