/**
 * Guests that migrate over sockets, with QEMU at one end.
 */
import * as Effect from "effect/Effect"
import type { Guest } from "./guest.ts"
import * as Migrate from "./migrate.ts"
import type { QmpError } from "./qmp.ts"

/** How pages travel. */
export interface Options extends Migrate.Settings {
  /** Default `none`. */
  readonly compression?: "none" | "zlib" | "zstd" | undefined
  /** Of the compression. Default: QEMU's. */
  readonly level?: number | undefined
  /** Who tells zero pages from others. Default: as the machine type has it. */
  readonly zeroPages?: "none" | "legacy" | "multifd" | undefined
  /** Id of a `tls-creds-…` object of the guest. Default: no TLS. */
  readonly tls?: string | undefined
  /** The name that the certificate of the other side has to carry. Default: the host of the URI. */
  readonly tlsHostname?: string | undefined
}

const settings = (options: Options): Migrate.Settings => {
  const { compression = "none", level, tls, tlsHostname, zeroPages } = options
  return {
    channels: options.channels,
    capabilities: options.capabilities,
    parameters: {
      ...(compression === "none" ? {} : { "multifd-compression": compression }),
      ...(level === undefined ? {} : { [`multifd-${compression}-level`]: level }),
      ...(zeroPages === undefined ? {} : { "zero-page-detection": zeroPages }),
      ...(tls === undefined ? {} : { "tls-creds": tls }),
      ...(tlsHostname === undefined ? {} : { "tls-hostname": tlsHostname }),
      ...options.parameters
    }
  }
}

/** Has the guest migrate to whoever listens at a URI, and waits until it says that it has. */
export const send = (
  guest: Guest,
  uri: string,
  options: Options & Migrate.Passes = {}
): Effect.Effect<Migrate.Saved, Migrate.MigrateError | QmpError> =>
  Migrate.outgoing(guest, uri, { ...settings(options), passes: options.passes })

/** A guest that listens. */
export interface Listening extends Migrate.Incoming {
  /** Where, with the real port. */
  readonly uri: string
}

const uriOf = (info: Migrate.Info): string | undefined => {
  const address = info["socket-address"]?.[0]
  if (address === undefined) return undefined
  return address.type === "unix" ? `unix:${address.path}` : `tcp:${address.host}:${address.port}`
}

/** Has a guest that was started with `incoming` listen at a URI, whose port may be 0. */
export const listen = (guest: Guest, uri: string, options: Options = {}): Effect.Effect<Listening, QmpError> =>
  Effect.gen(function* () {
    const incoming = yield* Migrate.incoming(guest, uri, settings(options))
    return { ...incoming, uri: uriOf(yield* Migrate.query(guest)) ?? uri }
  })
