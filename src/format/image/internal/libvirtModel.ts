import type { FORMATS } from "./libvirtFormats.ts"

/**
 * The storage format of the migration stream after the header.
 *
 * @stability unstable
 * @category models
 * @since 0.1.0
 */
export type Format = (typeof FORMATS)[number]

/**
 * The header.
 *
 * @stability unstable
 * @category models
 * @since 0.1.0
 */
export interface Header {
  /** Bytes of XML, cookie and padding. */
  readonly dataLength: number
  /** `true` if the domain was running when it was saved. */
  readonly wasRunning: boolean
  readonly format: Format
  /** Offset of the cookie from the start of the XML; 0 if there is none. */
  readonly cookieOffset: number
}

/**
 * The parts of a libvirt save image before the migration stream.
 *
 * @stability unstable
 * @category models
 * @since 0.1.0
 */
export interface LibvirtSave {
  /** The definition of the domain. */
  readonly xml: string
  /** State of the running domain that libvirt keeps, also as XML. */
  readonly cookie: string | undefined
  readonly wasRunning: boolean
  /** Absolute position of the migration stream. */
  readonly streamOffset: number
}
