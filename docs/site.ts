/**
 * Stages the pages of the site in `.site/`: the Markdown of `docs/` and of the project's folder, the examples as pages, and the
 * pictures. Links lead from page to page there. `npm run docs` runs it before TypeDoc and VitePress.
 */
import * as Fs from "node:fs"
import * as Path from "node:path"

const docs = import.meta.dirname
const root = Path.resolve(docs, "..")
const site = Path.join(docs, ".site")

/** Pages of the project's folder. */
const project = ["CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md"]

const markdownIn = (folder: string): ReadonlyArray<string> =>
  Fs.readdirSync(Path.join(docs, folder))
    .filter((name) => name.endsWith(".md"))
    .map((name) => Path.posix.join(folder, name))

const examples = Fs.readdirSync(Path.join(root, "examples")).filter((name) => /\.(?:ts|py)$/.test(name))

/** The pages by their paths in the project, with their paths on the site. */
const pages: ReadonlyMap<string, string> = new Map([
  ["docs/README.md", "index.md"],
  ["README.md", "overview.md"],
  ["LICENSE", "project/license.md"],
  ...["guide", "reference", "formats", "internals"]
    .flatMap(markdownIn)
    .map((page): [string, string] => [`docs/${page}`, page]),
  ...project.map((name): [string, string] => [name, `project/${name.toLowerCase()}`]),
  ...examples.map((name): [string, string] => [`examples/${name}`, `examples/${name}.md`])
])

const relative = (from: string, to: string): string => {
  const path = Path.posix.relative(Path.posix.dirname(from), to)
  return path.startsWith(".") ? path : `./${path}`
}

/** A link of a file of the project, as a link of its page. */
const rewritten = (file: string, page: string, link: string): string => {
  if (/^(?:[a-z]+:|#)/.test(link)) return link
  const [path = "", anchor] = link.split("#")
  const target = Path.posix.join(Path.posix.dirname(file), path)
  const onSite = pages.get(target)
  if (onSite === undefined) {
    if (/^docs\/[a-z]+\/[\w.-]+\.svg$/.test(target)) return relative(page, target.slice("docs/".length))
    throw new Error(`${file}: the site has no page for ${link}`)
  }
  return relative(page, onSite) + (anchor === undefined ? "" : `#${anchor}`)
}

/** Everything but code, which keeps its text. */
const outsideOfCode = (text: string, change: (prose: string) => string): string =>
  text
    .split(/(^ *```[^]*?^ *```$|`[^`\n]*`)/m)
    .map((part, index) => (index % 2 === 0 ? change(part) : part))
    .join("")

const pageOf = (file: string, page: string): string => {
  const text = Fs.readFileSync(Path.join(root, file), "utf8")
  const language = /^examples\/.*\.(ts|py)$/.exec(file)?.[1]
  if (language !== undefined) return `# ${Path.posix.basename(file)}\n\n\`\`\`${language}\n${text}\`\`\`\n`
  if (file === "LICENSE") return `# Licence\n\n${text}`
  // A picture of a page is a link like any other; a link whose text is code is cut in two by it, and found by its end.
  return outsideOfCode(text, (prose) =>
    prose
      .replaceAll(/\]\(([^)\s]+)\)/g, (_, link: string) => `](${rewritten(file, page, link)})`)
      .replaceAll(/^(\[\w+\]: )(\S+)$/gm, (_, name: string, link: string) => name + rewritten(file, page, link))
  )
}

const write = (path: string, content: string | Uint8Array): void => {
  Fs.mkdirSync(Path.dirname(Path.join(site, path)), { recursive: true })
  Fs.writeFileSync(Path.join(site, path), content)
}

Fs.rmSync(site, { recursive: true, force: true })
for (const [file, page] of pages) write(page, pageOf(file, page))
for (const folder of ["assets", "internals"])
  for (const name of Fs.readdirSync(Path.join(docs, folder)).filter((picture) => picture.endsWith(".svg")))
    write(Path.posix.join(folder, name), Fs.readFileSync(Path.join(docs, folder, name)))
