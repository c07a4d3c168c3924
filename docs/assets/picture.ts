/**
 * Draws `picture.svg`, the picture of the README, from the two rows below: `npm run docs:picture`.
 *
 * A letter is a cell: `#` a page with data, `.` a page of zeros or a hole in the file, and a word in brackets a part of the
 * file that is not pages.
 */
import * as Fs from "node:fs"
import * as Path from "node:path"

const memory = "##.#...##..#.##.....#..##.#..###"
const file = "[stream][bitmap][mark]##.#...##..#.##.....#..##.#..###[devices][seal]"

const CELL = 14
const WIDTH = 860
const PART = 66

const style = `
  .back { fill: #fff }
  text { font: 13px ui-sans-serif, system-ui, sans-serif; fill: #24292f }
  .note { fill: #57606a; font-size: 12px }
  .data { fill: #0969da } .zero { fill: none; stroke: #8c959f } .part { fill: #ddf4ff; stroke: #0969da }
  .way { stroke: #0969da; stroke-width: 1.5; fill: none } .head { fill: #0969da }
  @media (prefers-color-scheme: dark) {
    .back { fill: #0d1117 }
    text { fill: #e6edf3 } .note { fill: #9198a1 }
    .data { fill: #58a6ff } .zero { stroke: #6e7681 } .part { fill: #0d2847; stroke: #58a6ff }
    .way { stroke: #58a6ff } .head { fill: #58a6ff }
  }`

interface Drawn {
  readonly svg: string
  readonly end: number
  /** Where pages begin. */
  readonly pages: number
}

const box = (kind: string, x: number, y: number, width: number, height: number): string =>
  `<rect class="${kind}" x="${x + 0.5}" y="${y + 0.5}" width="${width}" height="${height}" rx="2"/>`

const text = (content: string, x: number, y: number, kind = "", anchor = "start"): string =>
  `<text class="${kind}" x="${x}" y="${y}" text-anchor="${anchor}">${content}</text>`

/** A row of cells and parts. */
const row = (cells: string, left: number, top: number): Drawn => {
  let x = left
  let pages = -1
  const svg = [...cells.matchAll(/\[(\w+)\]|[#.]/g)].map(([cell, part]) => {
    const at = x
    if (part !== undefined) {
      x += PART
      return box("part", at, top, PART - 3, 28) + text(part, at + PART / 2 - 1, top + 19, "", "middle")
    }
    if (pages < 0) pages = at
    x += CELL
    return box(cell === "#" ? "data" : "zero", at, top, CELL - 3, 28)
  })
  return { svg: svg.join("\n"), end: x, pages }
}

/** An arrow down, for a channel. */
const channel = (x: number, from: number, to: number): string =>
  `<path class="way" d="M${x} ${from}V${to - 6}"/><path class="head" d="M${x - 4} ${to - 7}h8l-4 7z"/>`

/** The picture of the README. */
export const draw = (): string => {
  const width = memory.length * CELL
  const start = (WIDTH - width - 5 * PART) / 2
  const ram = row(memory, start + 3 * PART, 40)
  const image = row(file, start, 150)
  const channels = [0.16, 0.5, 0.84].map((part) => channel(image.pages + Math.round(width * part), 74, 146))
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} 236" role="img" aria-labelledby="title">`,
    `<title id="title">Pages of guest RAM go over parallel channels to fixed places in an image; zero pages are holes</title>`,
    `<style>${style}\n</style>`,
    `<rect class="back" width="${WIDTH}" height="236" rx="8"/>`,
    text("guest RAM, running or stopped", ram.pages, 28),
    ram.svg,
    ...channels,
    text("N channels, one descriptor each", image.pages + width * 0.84 + 12, 112, "note"),
    image.svg,
    text("the image: QEMU's mapped-ram file", start, 142),
    text("which pages have data", start + PART, 200, "note"),
    text("every page at its own place; zero pages are holes", image.pages + width / 2, 200, "note", "middle"),
    text("checksums", image.end - PART + 2, 200, "note"),
    text("QEMU loads it · multifd verifies it · your program reads single pages", WIDTH / 2, 228, "note", "middle"),
    "</svg>",
    ""
  ].join("\n")
}

if (import.meta.main) Fs.writeFileSync(Path.join(import.meta.dirname, "picture.svg"), draw())
