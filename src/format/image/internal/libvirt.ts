import { MAX_READ_BYTES } from "../../Parser.ts"
import type { Header, LibvirtSave } from "./libvirtModel.ts"
import { type Cursor, decodeText, type Steps, stop, view } from "../../internal/cursor.ts"
import { FORMATS } from "./libvirtFormats.ts"

export { FORMATS } from "./libvirtFormats.ts"

/** @internal */
export const MAGIC_COMPLETE = "LibvirtQemudSave"

/** @internal */
export const MAGIC_PARTIAL = "LibvirtQemudPart"

/** @internal */
export const HEADER_LENGTH = 92

/** @internal */
export const VERSION = 2

/** A domain's XML and cookie take a few dozen KiB; libvirt itself reads XML of up to 10 MB. */
const MAX_DATA_BYTES = 16 * 1024 * 1024

/** @internal */
export function* readSave(cursor: Cursor): Steps<LibvirtSave> {
  const { cookieOffset, dataLength, format, wasRunning } = yield* readHeader(cursor)
  if (format !== "sparse") {
    yield* stop({ code: "libvirt-format-unsupported", offset: 28, expected: "6, sparse", found: format })
  }
  const xmlLength = cookieOffset === 0 ? dataLength : cookieOffset
  const xml = yield* readText(cursor, xmlLength, "the domain's XML")
  const cookie = cookieOffset === 0 ? undefined : yield* readText(cursor, dataLength - xmlLength, "the domain's cookie")
  return { xml, cookie, wasRunning, streamOffset: cursor.position }
}

/** @internal */
export function* readHeader(cursor: Cursor): Steps<Header> {
  const start = cursor.position
  yield* readMagic(cursor)
  const words = view(yield* cursor.take(HEADER_LENGTH - MAGIC_COMPLETE.length, "libvirt's save header"))
  const version = words.getUint32(0, true)
  if (version !== VERSION) {
    const found = words.getUint32(0) === VERSION ? "2 in big-endian, of another kind of host" : String(version)
    yield* stop({ code: "libvirt-version-unsupported", offset: start + 16, expected: String(VERSION), found })
  }
  const dataLength = words.getUint32(4, true)
  const formatNumber = words.getUint32(12, true)
  const cookieOffset = words.getUint32(16, true)
  const corrupt = (at: number, expected: string, found: number) =>
    stop({ code: "libvirt-header-corrupt", offset: start + at, expected, found: String(found) })
  if (dataLength > MAX_DATA_BYTES) yield* corrupt(20, `at most ${MAX_DATA_BYTES} bytes of data`, dataLength)
  if (cookieOffset > dataLength) yield* corrupt(32, `a cookie inside the ${dataLength} bytes of data`, cookieOffset)
  const format = FORMATS[formatNumber]
  if (format === undefined) {
    const found = `format ${formatNumber}`
    return yield* stop({ code: "libvirt-format-unsupported", offset: start + 28, expected: "6, sparse", found })
  }
  return { dataLength, wasRunning: words.getUint32(8, true) !== 0, format, cookieOffset }
}

function* readMagic(cursor: Cursor): Steps<void> {
  const offset = cursor.position
  const magic = Buffer.from(yield* cursor.take(MAGIC_COMPLETE.length, "libvirt's magic")).toString("latin1")
  if (magic === MAGIC_COMPLETE) return
  const expected = `"${MAGIC_COMPLETE}"`
  const code = magic === MAGIC_PARTIAL ? "libvirt-save-partial" : "magic-wrong"
  yield* stop({ code, offset, expected, found: JSON.stringify(magic) })
}

/** Text up to the first zero byte. The padding after it lets libvirt edit the text in place. */
function* readText(cursor: Cursor, length: number, what: string): Steps<string> {
  const offset = cursor.position
  const chunks: Array<Uint8Array> = []
  for (let left = length; left > 0; left -= chunks.at(-1)?.length ?? left) {
    chunks.push(yield* cursor.take(Math.min(left, MAX_READ_BYTES), what))
  }
  const bytes = Buffer.concat(chunks)
  const end = bytes.indexOf(0)
  const text = decodeText(end < 0 ? bytes : bytes.subarray(0, end))
  if (text !== undefined) return text
  return yield* stop({ code: "name-invalid", offset, expected: `${what} in UTF-8`, found: "other bytes" })
}
