/**
 * Tables of Markdown, for the terminal and for the report.
 */
import * as Cell from "./cell.ts"
import type { Measured } from "./variant.ts"

const MIB = 1024 * 1024

/** A table; the first column is text, the others are numbers. */
export const markdown = (header: ReadonlyArray<string>, rows: ReadonlyArray<ReadonlyArray<string>>): string => {
  const widths = header.map((name, column) => Math.max(name.length, ...rows.map((row) => row[column]!.length)))
  const line = (cells: ReadonlyArray<string>): string =>
    `| ${cells.map((cell, i) => (i === 0 ? cell.padEnd(widths[i]!) : cell.padStart(widths[i]!))).join(" | ")} |`
  const rule = widths.map((width, i) => (i === 0 ? "-".repeat(width) : `${"-".repeat(width - 1)}:`))
  return [line(header), line(rule), ...rows.map(line)].join("\n")
}

/** A number of milliseconds, with a digit behind the point where that says something. */
export const milliseconds = (value: number): string => value.toFixed(value < 100 ? 1 : 0)

const times = (other: Measured | undefined, { median }: Measured): string =>
  other === undefined ? "" : (other.median / median).toFixed(2)

/** The table of one cell: what every variant took, and how many times as fast as QEMU and the limit it is. */
export const ofCell = (cell: Cell.Cell): string => {
  const [limit, qemu] = [Cell.best(cell, "limit"), Cell.best(cell, "qemu")]
  const row = (measured: Measured): ReadonlyArray<string> => [
    measured.variant.name,
    milliseconds(measured.median),
    `${milliseconds(measured.fastest)}–${milliseconds(measured.slowest)}`,
    (cell.size / MIB / (measured.median / 1000)).toFixed(0),
    times(qemu, measured),
    times(limit, measured),
    measured.cpu === undefined ? "" : ((measured.cpu * 1024 * MIB) / cell.size).toFixed(0),
    measured.stall === undefined ? "" : milliseconds(measured.stall),
    Object.entries(measured.phases)
      .filter(([name]) => name !== "total")
      .map(([name, value]) => `${name} ${milliseconds(value)}`)
      .join(", ")
  ]
  return markdown(
    ["variant", "ms", "range", "MiB/s", "× QEMU", "× limit", "CPU ms/GiB", "stall, ms", "phases, ms"],
    cell.measured.map(row)
  )
}
