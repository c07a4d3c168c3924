import type { FORMATS } from "./libvirtFormats.ts"

/**
 * How the migration stream behind the header is stored.
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
  /** Whether the domain ran when it was saved. */
  readonly wasRunning: boolean
  readonly format: Format
  /** Where the cookie begins, from the start of the XML; 0 where there is none. */
  readonly cookieOffset: number
}

/**
 * What a libvirt save image holds besides the migration stream.
 *
 * @stability unstable
 * @category models
 * @since 0.1.0
 */
export interface LibvirtSave {
  /** The definition of the domain. */
  readonly xml: string
  /** What libvirt wants to remember of the running domain, XML as well. */
  readonly cookie: string | undefined
  readonly wasRunning: boolean
  /** Absolute position of the migration stream. */
  readonly streamOffset: number
}
