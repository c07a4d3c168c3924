/**
 * The Markdown of the project: its files, links and headings.
 */
import * as Fs from "node:fs"
import * as Path from "node:path"
import { root } from "./run.ts"

/** Paths of the Markdown files that people read, relative to the project. */
export const files = (): ReadonlyArray<string> => {
  const docs = Fs.readdirSync(Path.join(root, "docs"), { recursive: true, encoding: "utf8" })
    .filter((name) => !/(?:^|\/)(?:node_modules|\.)/.test(name))
    .map((name) => Path.posix.join("docs", name))
  return [...Fs.readdirSync(root), ...docs].filter((name) => name.endsWith(".md")).toSorted()
}

export const read = (file: string): string => Fs.readFileSync(Path.join(root, file), "utf8")

/** Without fenced blocks and inline code. */
const prose = (text: string): string => text.replaceAll(/^ *```[^]*?^ *```$/gm, "").replaceAll(/`[^`\n]*`/g, "")

/** Targets of the links and pictures of a text, as they are written. */
export const linksOf = (text: string): ReadonlyArray<string> =>
  [...prose(text).matchAll(/\]\(([^)\s]+)\)|(?:src|srcset|href)="([^"]+)"/g)].map((match) => (match[1] ?? match[2])!)

/** The anchor of a heading, as GitHub makes it. */
const anchorOf = (heading: string): string =>
  heading
    .replaceAll(/\[([^\]]*)\]\([^)]*\)/g, "$1")
    .trim()
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{N}\s_-]/gu, "")
    .replaceAll(/\s/g, "-")

/** Anchors of a text's headings; a heading that comes again has a number. */
export const anchorsOf = (text: string): ReadonlyArray<string> => {
  const seen = new Map<string, number>()
  return [...text.replaceAll(/^ *```[^]*?^ *```$/gm, "").matchAll(/^#{1,6} (.+)$/gm)].map((match) => {
    const anchor = anchorOf(match[1]!)
    const count = seen.get(anchor) ?? 0
    seen.set(anchor, count + 1)
    return count === 0 ? anchor : `${anchor}-${count}`
  })
}
