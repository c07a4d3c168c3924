/**
 * Every way in which a migration of one guest goes over sockets.
 */
import type { Options } from "./Sockets.ts"

/** One way. */
export interface Cell {
  readonly name: string
  readonly transport: "tcp" | "unix"
  readonly channels: number
  readonly compression: NonNullable<Options["compression"]>
  /** Set at the sending side; the other one takes all three. */
  readonly zeroPages: NonNullable<Options["zeroPages"]>
}

const compressions = ["none", "zlib", "zstd"] as const
const zeroPages = ["none", "legacy", "multifd"] as const

const channelsName = (channels: number): string =>
  channels === 0 ? "no multifd" : `${channels} channel${channels === 1 ? "" : "s"}`

const cell = (fields: Omit<Cell, "name">): Cell => {
  const { channels, compression, transport, zeroPages } = fields
  return { ...fields, name: `${transport}, ${channelsName(channels)}, ${compression}, zero pages: ${zeroPages}` }
}

/** {none, zlib, zstd} × {1, 2, 8 channels} × {tcp, unix} × zero pages found by nobody, the main channel, the channels. */
const withMultifd: ReadonlyArray<Cell> = (["tcp", "unix"] as const).flatMap((transport) =>
  compressions.flatMap((compression) =>
    [1, 2, 8].flatMap((channels) => zeroPages.map((zeroPages) => cell({ transport, channels, compression, zeroPages })))
  )
)

const withoutMultifd: ReadonlyArray<Cell> = (["tcp", "unix"] as const).flatMap((transport) =>
  (["none", "legacy"] as const).map((zeroPages) => cell({ transport, channels: 0, compression: "none", zeroPages }))
)

/** All of them. */
export const cells: ReadonlyArray<Cell> = [...withMultifd, ...withoutMultifd]
