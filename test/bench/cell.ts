/**
 * What was measured in one place with one kind of RAM.
 */
import type { Pattern } from "../interop/support/Pattern.ts"
import type { Measured } from "./variant.ts"

/** Where the image lies. */
export type Place = "tmpfs" | "disk"

/** One table of the report. */
export interface Cell {
  readonly work: "save" | "restore into a shared-memory file" | "restore into private memory"
  readonly place: Place
  readonly pattern: Pattern
  readonly measured: ReadonlyArray<Measured>
}

/** The fastest variant of the machine's limits or of QEMU's, by its median. */
export const best = ({ measured }: Cell, of: "limit" | "qemu"): Measured => {
  const [first, ...rest] = measured.filter(({ variant }) => variant.of === of)
  return rest.reduce((a, b) => (b.median < a.median ? b : a), first!)
}

/** The heading of a cell. */
export const title = ({ pattern, place, work }: Omit<Cell, "measured">): string =>
  work === "save" ? `save to ${place}: ${pattern}` : `${work}, image on ${place}: ${pattern}`
