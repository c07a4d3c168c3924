/**
 * The front of a libvirt save image in sparse format, as libvirt 11 writes it. QEMU writes the stream behind it, at an
 * offset that nothing aligns.
 *
 *      0  16  "LibvirtQemudSave", or "LibvirtQemudPart" until the save is complete
 *     16  u32 2, the version                  all numbers little-endian
 *     20  u32 bytes from 92 to the stream
 *     24  u32 1 if the guest was running
 *     28  u32 6, the format: sparse
 *     32  u32 offset of the cookie behind 92, or 0
 *     36      zeros
 *     92      domain XML 00, cookie XML 00
 */

const HEADER_LENGTH = 92
const SPARSE = 6

/** What stands in front of the stream. */
export interface Options {
  readonly xml: string
  readonly cookie?: string | undefined
  readonly wasRunning?: boolean | undefined
  /** libvirt's number of a format; default 6, sparse. */
  readonly format?: number | undefined
  readonly version?: number | undefined
  /** A save that libvirt never finished. */
  readonly partial?: boolean | undefined
}

/** All bytes in front of the stream. */
export const front = (options: Options): Buffer => {
  const xml = Buffer.from(`${options.xml}\0`)
  const cookie = options.cookie === undefined ? Buffer.alloc(0) : Buffer.from(`${options.cookie}\0`)
  const header = Buffer.alloc(HEADER_LENGTH)
  header.write(options.partial === true ? "LibvirtQemudPart" : "LibvirtQemudSave", "latin1")
  header.writeUInt32LE(options.version ?? 2, 16)
  header.writeUInt32LE(xml.length + cookie.length, 20)
  header.writeUInt32LE(options.wasRunning === true ? 1 : 0, 24)
  header.writeUInt32LE(options.format ?? SPARSE, 28)
  header.writeUInt32LE(cookie.length === 0 ? 0 : xml.length, 32)
  return Buffer.concat([header, xml, cookie])
}
