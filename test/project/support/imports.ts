/**
 * What the source files import, and which of the architecture's rules that breaks.
 */
import * as Fs from "node:fs"
import * as Path from "node:path"

/** The folders of `src/`, lowest first: each imports only from those in front of it. */
export const rooms = ["ram", "format", "compression", "io", "multifd", "migration", "qmp", "cli", "testing"]

/** The room that computes and never waits: no I/O, no fibers. */
const pure = "format"

/** Rooms that may reach outside the process. */
const reaching = new Set(["io", "testing"])

/** Modules of Node that reach outside the process; only `io/` may, so that a virtual disk can stand under everything. */
const outside = new Set([
  "fs",
  "fs/promises",
  "net",
  "tls",
  "dgram",
  "http",
  "https",
  "child_process",
  "worker_threads"
])

/** Modules of Effect that run fibers. */
const fibers = new Set(
  ["Effect", "Fiber", "Stream", "Channel", "Queue", "PubSub", "Latch", "Semaphore", "Layer", "Scope"].map(
    (name) => `effect/${name}`
  )
)

const statement = /^(?:import|export)\s(?:[^"';]*?\sfrom\s+)?["']([^"']+)["']/gm
const expression = /\bimport\(\s*["']([^"']+)["']/g

/** The specifiers of all imports of a source text, types included; those in comments are not. */
export const importsOf = (source: string): ReadonlyArray<string> => {
  const code = source.replaceAll(/^\s*(?:\/\/|\/?\*).*$/gm, "")
  return [...code.matchAll(statement), ...code.matchAll(expression)].map((match) => match[1]!)
}

const roomOf = (file: string): string | undefined => (file.includes("/") ? file.slice(0, file.indexOf("/")) : undefined)
const isInternal = (file: string): boolean => file.split("/").includes("internal")

const checkRelative = (file: string, specifier: string): string | undefined => {
  if (!specifier.endsWith(".ts")) return "relative imports end in .ts"
  const target = Path.posix.join(Path.posix.dirname(file), specifier)
  if (target.startsWith("..")) return "reaches out of src/"
  const from = roomOf(file)
  const to = roomOf(target)
  if (isInternal(target) && from !== to) return `${target} is internal to its room`
  if (from === undefined || from === to) return undefined
  if (to === undefined) return "a room does not know the package's entry points"
  return rooms.indexOf(to) < rooms.indexOf(from) ? undefined : `${from}/ does not know ${to}/`
}

const checkPackage = (file: string, specifier: string): string | undefined => {
  const room = roomOf(file)
  if (specifier.startsWith("node:")) {
    const reaches = outside.has(specifier.slice("node:".length)) && !reaching.has(room ?? "")
    return reaches ? "only io/ reaches outside the process" : undefined
  }
  if (specifier === "effect" || specifier === "@effect/platform-node") return "Effect's modules are imported one by one"
  if (!/^(?:effect|@effect\/platform-node)\//.test(specifier)) return "is no dependency"
  return room === pure && fibers.has(specifier) ? `${room}/ neither waits nor runs fibers` : undefined
}

/** Every import that breaks a rule, as `file: specifier: why`. `sources` maps paths relative to `src/` to their text. */
export const violations = (sources: ReadonlyMap<string, string>): ReadonlyArray<string> =>
  [...sources].flatMap(([file, source]) => {
    const room = roomOf(file)
    if (room !== undefined && !rooms.includes(room)) return [`${file}: ${room}/ is no room of the design`]
    return importsOf(source).flatMap((specifier) => {
      const why = (specifier.startsWith(".") ? checkRelative : checkPackage)(file, specifier)
      return why === undefined ? [] : [`${file}: ${specifier}: ${why}`]
    })
  })

/** All TypeScript files under a folder, by their path relative to it. */
export const readSources = (folder: string): ReadonlyMap<string, string> =>
  new Map(
    Fs.readdirSync(folder, { recursive: true, encoding: "utf8" })
      .filter((file) => file.endsWith(".ts"))
      .toSorted()
      .map((file) => [file, Fs.readFileSync(Path.join(folder, file), "utf8")])
  )
