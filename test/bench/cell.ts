/**
 * What was measured in one place with one kind of RAM.
 */
import type { Method } from "../../src/compression/Compression.ts"
import type { Pattern } from "../support/qemu/pattern.ts"
import type { Measured } from "./variant.ts"

/** Where the image lies. */
export type Place = "tmpfs" | "disk"

/** Between a file of RAM and an image. */
export interface FileWork {
  readonly work: "save" | "restore into a shared-memory file" | "restore into private memory"
  readonly place: Place
  readonly pattern: Pattern
}

/** From one process to another, over TCP on one machine. */
export interface SocketWork {
  readonly work: "migrate"
  readonly channels: number
  readonly compression: Method
  readonly pattern: Pattern
}

/** What is done. */
export type Work = FileWork | SocketWork

/** One table of the report. */
export interface Cell {
  readonly work: Work
  /** Bytes of RAM. */
  readonly size: number
  readonly measured: ReadonlyArray<Measured>
}

/** The fastest variant of the machine's limits or of QEMU's, by its median; compression has no limit. */
export const best = ({ measured }: Cell, of: "limit" | "qemu"): Measured | undefined => {
  const [first, ...rest] = measured.filter(({ variant }) => variant.of === of)
  return first === undefined ? undefined : rest.reduce((a, b) => (b.median < a.median ? b : a), first)
}

/** The heading of a cell. */
export const title = (work: Work): string => {
  if (work.work === "migrate") {
    return `migrate over ${work.channels} channels, compression ${work.compression}: ${work.pattern}`
  }
  return work.work === "save"
    ? `save to ${work.place}: ${work.pattern}`
    : `${work.work}, image on ${work.place}: ${work.pattern}`
}
