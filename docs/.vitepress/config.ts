import * as Fs from "node:fs"
import * as Path from "node:path"
import { type DefaultTheme, defineConfig } from "vitepress"

const site = Path.resolve(import.meta.dirname, "../.site")

const titleOf = (page: string): string =>
  /^# (.+)$/m.exec(Fs.readFileSync(Path.join(site, page), "utf8"))?.[1]?.replaceAll(/[`*]/g, "") ?? page

const item = (page: string): DefaultTheme.SidebarItem => ({
  text: titleOf(page),
  link: `/${page.replace(/\.md$/, "")}`
})

const pagesIn = (folder: string): ReadonlyArray<string> =>
  Fs.readdirSync(Path.join(site, folder))
    .filter((name) => name.endsWith(".md") && name !== "index.md")
    .map((name) => `${folder}/${name}`)
    .toSorted()

/** Pages of a folder in this order, then those that are not named. */
const ordered = (folder: string, names: ReadonlyArray<string>): Array<DefaultTheme.SidebarItem> => {
  const first = names.map((name) => `${folder}/${name}.md`)
  return [...first, ...pagesIn(folder).filter((page) => !first.includes(page))].map(item)
}

const guide = [
  ...[
    "getting-started",
    "capture-resume",
    "instant-resume",
    "sockets-tls",
    "checksums",
    "backups",
    "files",
    "looking",
    "emulators",
    "library",
    "testing"
  ],
  ...["python", "guarantees", "troubleshooting", "from-qemu", "from-libvirt", "from-firecracker"]
]

/** The modules of an entry point: TypeDoc makes a folder for each that has several. */
const entry = (name: string, text: string): DefaultTheme.SidebarItem => ({
  text,
  link: `/api/${name}/`,
  collapsed: true,
  items: pagesIn(`api/${name}/namespaces`).map(item)
})

const entries = ["qemu", "store", "look", "postcopy", "format", "io", "transfer", "lanes", "compression", "testing"]

const api: Array<DefaultTheme.SidebarItem> = [
  entry("index", "effect-multifd"),
  { text: "effect-multifd/promise", link: "/api/promise" },
  ...entries
    .filter((name) => Fs.existsSync(Path.join(site, "api", name, "namespaces")))
    .map((name) => entry(name, `effect-multifd/${name}`))
]

export default defineConfig({
  title: "effect-multifd",
  description: "Captures, keeps, moves and resumes the memory of virtual machines, in QEMU's own formats",
  srcDir: ".site",
  outDir: ".vitepress/dist",
  cacheDir: ".vitepress/cache",
  cleanUrls: true,
  lastUpdated: false,
  head: [["link", { rel: "icon", href: "data:," }]],
  themeConfig: {
    search: { provider: "local", options: { detailedView: true } },
    outline: [2, 3],
    nav: [
      { text: "Guide", link: "/guide/getting-started" },
      { text: "Command", link: "/reference/command" },
      { text: "Errors", link: "/reference/errors" },
      { text: "API", link: "/api/index/" },
      { text: "Formats", link: "/formats/image" }
    ],
    sidebar: [
      {
        text: "Start",
        items: [
          { text: "Overview", link: "/overview" },
          { text: "All pages", link: "/" }
        ]
      },
      { text: "Guide", items: ordered("guide", guide) },
      { text: "Reference", items: ordered("reference", ["command", "errors", "output", "environment"]) },
      { text: "Formats", items: ordered("formats", ["image", "seal", "wire", "store"]) },
      { text: "API", collapsed: true, items: api },
      { text: "Examples", collapsed: true, items: pagesIn("examples").map(item) },
      { text: "Internals", collapsed: true, items: ordered("internals", ["architecture", "glossary", "decisions"]) },
      { text: "Project", collapsed: true, items: pagesIn("project").map(item) }
    ]
  }
})
