/**
 * Checks the built site: every link, picture and script of every page leads to a file of the site, and to an element of it if
 * it names one. No page takes anything from another host. `npm run docs` fails otherwise.
 */
import * as Fs from "node:fs"
import * as Path from "node:path"

const dist = Path.join(import.meta.dirname, ".vitepress/dist")

const pages = new Map(
  Fs.readdirSync(dist, { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".html"))
    .map((name) => [name, Fs.readFileSync(Path.join(dist, name), "utf8")])
)

const decoded = (text: string): string =>
  text.replaceAll("&amp;", "&").replaceAll("&#39;", "'").replaceAll("&quot;", '"')

const idsOf = new Map(
  [...pages].map(([name, html]) => [
    name,
    new Set([...html.matchAll(/\sid="([^"]*)"/g)].map((match) => decoded(match[1]!)))
  ])
)

/** The file of a path: a page without its ending, a folder's index, or a file. */
const fileOf = (path: string): string | undefined =>
  [path, `${path}.html`, Path.posix.join(path, "index.html")].find(
    (name) => Fs.statSync(Path.join(dist, name), { throwIfNoEntry: false })?.isFile() === true
  )

/** The problem of a link or a source in a page. */
const problemOf = (page: string, kind: string, link: string): string | undefined => {
  if (/^(?:data|mailto):/.test(link)) return undefined
  if (/^(?:[a-z]+:)?\/\//.test(link)) return kind === "src" ? `${page}: ${link} is on another host` : undefined
  const { hash, pathname } = new URL(link, `http://site/${page.replace(/index\.html$/, "")}`)
  const file = fileOf(decodeURIComponent(pathname).slice(1))
  if (file === undefined) return `${page}: no file for ${link}`
  const id = decodeURIComponent(hash.slice(1))
  return id === "" || idsOf.get(file)?.has(id) === true ? undefined : `${page}: no element for ${link}`
}

const links = [...pages].flatMap(([page, html]) =>
  [...html.matchAll(/<(?:a|img|script|link)\b[^>]*?\s(href|src)="([^"]*)"/g)].map(
    (match) => [page, match[1]!, decoded(match[2]!)] as const
  )
)
const problems = new Set(links.map((link) => problemOf(...link)).filter((problem) => problem !== undefined))
for (const problem of problems) console.error(problem)
console.log(`${pages.size} pages, ${links.length} links, ${problems.size} of them dead`)
if (problems.size > 0 || pages.size < 50) process.exitCode = 1
