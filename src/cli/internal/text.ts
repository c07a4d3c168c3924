import { displayWidth } from "effect/cli/CliOutput"

/**
 * Control and format characters, line and paragraph separators: characters that control a terminal, hide text or break
 * a line.
 */
const UNSAFE = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu

/**
 * Text that is safe on one line of a terminal. Names come from untrusted files.
 *
 * @internal
 */
export const printable = (text: string): string =>
  text.replaceAll(UNSAFE, (character) => `\\u{${character.charCodeAt(0).toString(16)}}`)

/**
 * A message as one line.
 *
 * @internal
 */
export const oneLine = (message: string): string => printable(message.trim().replaceAll(/\s*\n\s*/g, " "))

const UNITS = ["KiB", "MiB", "GiB", "TiB", "PiB"]

/**
 * A number of bytes in three or four digits: `512 B`, `4.00 KiB`, `1023 MiB`.
 *
 * @internal
 */
export const bytes = (count: number): string => {
  if (count < 1024) return `${Math.round(count)} B`
  const exponent = Math.min(Math.floor(Math.log2(count) / 10), UNITS.length)
  const value = count / 1024 ** exponent
  return `${value.toFixed(value < 10 ? 2 : value < 100 ? 1 : 0)} ${UNITS[exponent - 1]}`
}

/**
 * A time: `0.25 s`, `12.3 s`, `4 min 05 s`, `2 h 07 min`.
 *
 * @internal
 */
export const duration = (millis: number): string => {
  const seconds = Math.round(millis / 1000)
  if (seconds >= 3600) return `${Math.floor(seconds / 3600)} h ${twoDigits(Math.floor(seconds / 60) % 60)} min`
  if (seconds >= 60) return `${Math.floor(seconds / 60)} min ${twoDigits(seconds % 60)} s`
  return `${(millis / 1000).toFixed(millis < 10_000 ? 2 : 1)} s`
}

const twoDigits = (value: number): string => String(value).padStart(2, "0")

/**
 * A count together with its noun: `1 page`, `2 pages`.
 *
 * @internal
 */
export const counted = (count: number, noun: string): string => `${count} ${noun}${count === 1 ? "" : "s"}`

/**
 * A table with aligned columns; columns whose number is in `right` are right-aligned.
 *
 * @internal
 */
export const table = (rows: ReadonlyArray<ReadonlyArray<string>>, right: ReadonlyArray<number>): string => {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => displayWidth(row[column] ?? ""))))
  const blanks = (cell: string, column: number) => " ".repeat((widths[column] ?? 0) - displayWidth(cell))
  const pad = (cell: string, column: number) =>
    right.includes(column) ? blanks(cell, column) + cell : cell + blanks(cell, column)
  return rows.map((row) => `  ${row.map(pad).join("  ")}`.trimEnd()).join("\n")
}

const algorithms: Readonly<Record<string, string>> = {
  crc32: "CRC-32",
  sha256: "SHA-256",
  "hmac-sha256": "HMAC-SHA-256"
}

/**
 * The name of a checksum in prose.
 *
 * @internal
 */
export const algorithm = (name: string): string => algorithms[name] ?? name
