/**
 * What the source files import, and which of the architecture's rules that breaks.
 */
import * as Fs from "node:fs"
import * as Path from "node:path"

/** The floors of `src/`, lowest first: a room imports only from floors below its own. Rooms of one floor do not know each other. */
export const floors: ReadonlyArray<ReadonlyArray<string>> = [
  ["ram"],
  ["format"],
  ["compression", "io"],
  ["lanes"],
  ["transfer"],
  ["snapshot"],
  ["multifd", "image", "store", "look"],
  ["migration"],
  ["postcopy"],
  ["qemu"],
  ["entry"],
  ["cli"],
  ["testing"]
]

const floorOf = (room: string): number => floors.findIndex((rooms) => rooms.includes(room))

/** The room that computes and never waits: no I/O, no fibers. */
const pure = "format"

/** Rooms that may reach outside the process. */
const reaching = new Set(["io", "lanes", "testing"])

/** The file of a room that is an entry point of the package: it names modules of any room but the command's. */
const ENTRY = "index.ts"

/** Modules of Node that reach outside the process; only `io/` may, so that a virtual disk can stand under everything,
 * and `lanes/`, which gets the descriptors of `io/` where there is no such disk. */
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
  if (Path.posix.basename(file) === ENTRY) return to === "cli" ? "an entry point does not know cli/" : undefined
  return floorOf(to) < floorOf(from) ? undefined : `${from}/ does not know ${to}/`
}

const checkPackage = (file: string, specifier: string): string | undefined => {
  const room = roomOf(file)
  if (specifier.startsWith("node:")) {
    const reaches = outside.has(specifier.slice("node:".length)) && !reaching.has(room ?? "")
    return reaches ? "only io/ and lanes/ reach outside the process" : undefined
  }
  if (specifier === "effect" || specifier === "@effect/platform-node-shared")
    return "Effect's modules are imported one by one"
  if (!/^(?:effect|@effect\/platform-node-shared)\//.test(specifier)) return "is no dependency"
  return room === pure && fibers.has(specifier) ? `${room}/ neither waits nor runs fibers` : undefined
}

/** Every import that breaks a rule, as `file: specifier: why`. `sources` maps paths relative to `src/` to their text. */
export const violations = (sources: ReadonlyMap<string, string>): ReadonlyArray<string> =>
  [...sources].flatMap(([file, source]) => {
    const room = roomOf(file)
    if (room !== undefined && floorOf(room) < 0) return [`${file}: ${room}/ is no room of the design`]
    return importsOf(source).flatMap((specifier) => {
      const why = (specifier.startsWith(".") ? checkRelative : checkPackage)(file, specifier)
      return why === undefined ? [] : [`${file}: ${specifier}: ${why}`]
    })
  })

/** The files of every circle of imports, types included, by the strongly connected components of the graph (Tarjan). */
export const circles = (sources: ReadonlyMap<string, string>): ReadonlyArray<ReadonlyArray<string>> => {
  const found: Array<ReadonlyArray<string>> = []
  const stack: Array<string> = []
  const index = new Map<string, number>()
  const low = new Map<string, number>()
  const visit = (file: string): number => {
    const known = index.get(file)
    if (known !== undefined) return stack.includes(file) ? known : Infinity
    const own = index.size
    index.set(file, own)
    stack.push(file)
    const targets = importsOf(sources.get(file) ?? "")
      .filter((specifier) => specifier.startsWith("."))
      .map((specifier) => Path.posix.join(Path.posix.dirname(file), specifier))
    low.set(file, Math.min(own, ...targets.map((target) => Math.min(visit(target), low.get(target) ?? Infinity))))
    if (low.get(file) === own) {
      const circle = stack.splice(stack.indexOf(file))
      for (const member of circle) low.set(member, Infinity)
      if (circle.length > 1) found.push(circle.toSorted())
    }
    return low.get(file) ?? own
  }
  for (const file of sources.keys()) visit(file)
  return found
}

/** All TypeScript files under a folder, by their path relative to it. */
export const readSources = (folder: string): ReadonlyMap<string, string> =>
  new Map(
    Fs.readdirSync(folder, { recursive: true, encoding: "utf8" })
      .filter((file) => file.endsWith(".ts"))
      .toSorted()
      .map((file) => [file, Fs.readFileSync(Path.join(folder, file), "utf8")])
  )
