/**
 * Every way in which a migration of one guest goes over sockets, from and to every QEMU. Tests take some of them, in which any two
 * options meet; `GRID=all` takes all of them.
 */
import { pairwise, product } from "./pairwise.ts"
import type { Qemu } from "./qemu.ts"
import type { Options } from "./sockets.ts"
import * as Tls from "./tls.ts"

/** The versions of QEMU that the grid has, oldest first. Those before 9.0 have no mapped-ram, and no choice of zero pages. */
export const versions = ["5.2", "7.2", "10.0", "11.1"] as const

type Version = (typeof versions)[number]

/** One way. */
export interface Cell {
  /** Of the QEMU at the other end. */
  readonly qemu: Version
  /** `older` is a machine type of an older version, as a guest keeps it that was installed long ago. */
  readonly machine: "pc" | "q35" | "microvm" | "older"
  readonly transport: "tcp" | "unix"
  readonly channels: number
  readonly compression: NonNullable<Options["compression"]>
  /** Set at the sending side; the other one takes all three. */
  readonly zeroPages: NonNullable<Options["zeroPages"]>
  readonly tls: "none" | "x509" | "psk"
}

/** A cell is an object of an interface, which has no index signature; this is the same as a type. */
type Fields = { readonly [K in keyof Cell]: Cell[K] }

const older: Record<Version, string> = {
  "5.2": "pc-i440fx-4.2",
  "7.2": "pc-q35-6.2",
  "10.0": "pc-i440fx-8.0",
  "11.1": "pc-q35-10.0"
}

/** The machine type of a cell. */
export const machineOf = ({ machine, qemu }: Pick<Cell, "machine" | "qemu">): string =>
  machine === "older" ? older[qemu] : machine

const isOld = (qemu: Version): boolean => qemu === "5.2" || qemu === "7.2"

/** Debian built 5.2 without zstd. Without multifd nothing is compressed, and the channels find no zero pages. */
const isPossible = ({ channels, compression, qemu, zeroPages }: Cell): boolean => {
  if (compression === "zstd" && qemu === "5.2") return false
  if (zeroPages === "multifd" && isOld(qemu)) return false
  return channels > 0 || (compression === "none" && zeroPages !== "multifd")
}

/**
 * What our sender has to be told of the marks: a nameless machine type does not say which QEMU it is of, and those before 8.1 want a
 * mark for each section.
 */
export const marks = ({ machine, qemu }: Cell): "each-section" | undefined =>
  machine === "microvm" && isOld(qemu) ? "each-section" : undefined

/** An old QEMU that sends cannot be told to leave zero pages as they are. */
const canBeSentBy = ({ qemu, zeroPages }: Cell): boolean => !isOld(qemu) || zeroPages === "legacy"

const all: ReadonlyArray<Cell> = product<Fields>({
  qemu: versions,
  machine: ["pc", "q35", "microvm", "older"],
  transport: ["tcp", "unix"],
  channels: [0, 1, 2, 8],
  compression: ["none", "zlib", "zstd"],
  zeroPages: ["none", "legacy", "multifd"],
  tls: ["none", "x509", "psk"]
}).filter(isPossible)

const some = (cells: ReadonlyArray<Fields>): ReadonlyArray<Cell> =>
  process.env["GRID"] === "all" ? cells : pairwise<Fields>(cells)

const toQemu = some(all)
const fromQemu = some(all.filter(canBeSentBy))

const isOf =
  ({ major, minor }: Qemu) =>
  ({ qemu }: Cell): boolean =>
    qemu === `${major}.${minor}`

/** Those in which a QEMU waits for us. */
export const to = (qemu: Qemu): ReadonlyArray<Cell> => toQemu.filter(isOf(qemu))

/** Those in which a QEMU migrates to us. */
export const from = (qemu: Qemu): ReadonlyArray<Cell> => fromQemu.filter(isOf(qemu))

const channelsName = (channels: number): string =>
  channels === 0 ? "no multifd" : `${channels} channel${channels === 1 ? "" : "s"}`

/** What a test of a cell is called, the version of QEMU left out. */
export const nameOf = ({ channels, compression, machine, tls, transport, zeroPages }: Cell): string =>
  [machine, transport, channelsName(channels), compression, `zero pages: ${zeroPages}`, `TLS: ${tls}`].join(", ")

/** QEMU's credentials for a cell. */
export const credentials = ({ tls }: Cell, endpoint: "client" | "server"): ReadonlyArray<string> => {
  if (tls === "none") return []
  return tls === "x509" ? Tls.x509(endpoint, tls) : Tls.psk(endpoint, tls)
}

/** QEMU's settings for a cell; as a sender, it has to be told the name in our certificate, which a Unix socket does not have: 5.2 asks for one with keys, too. */
export const settings = (cell: Cell, endpoint: "client" | "server"): Options => ({
  channels: cell.channels,
  compression: cell.compression,
  zeroPages: endpoint === "client" && !isOld(cell.qemu) ? cell.zeroPages : undefined,
  ...(cell.tls === "none" ? {} : { tls: Tls.ID }),
  ...(cell.tls !== "none" && endpoint === "client" ? { tlsHostname: "localhost" } : {})
})
