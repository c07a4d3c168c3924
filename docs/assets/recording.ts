/**
 * Records a terminal: runs the commands below against the QEMU on the PATH, and draws what they print as `recording.svg`.
 *
 * `npm run docs:recording`. Needs `script` (util-linux), which gives the commands a terminal.
 */
import * as ChildProcess from "node:child_process"
import * as Fs from "node:fs"
import * as Os from "node:os"
import * as Path from "node:path"

const root = Path.resolve(import.meta.dirname, "../..")
const qemu = "qemu-system-x86_64 -m 2G -display none -daemonize -qmp unix:vm.qmp,server=on,wait=off"

const commands = [
  `${qemu}`,
  "multifd capture --qmp vm.qmp --live --leave quit vm.img",
  "multifd verify vm.img",
  `${qemu} -incoming defer`,
  "multifd resume --qmp vm.qmp vm.img"
]

const COLUMNS = 104
const CHARACTER = 7.83
const LINE = 20

/** A line of the terminal, and the milliseconds after the start at which it was complete. */
interface Line {
  readonly kind: "command" | "output"
  readonly at: number
  readonly text: string
}

const milliseconds = (): number => Number(process.hrtime.bigint()) / 1e6

const ESCAPE = String.fromCodePoint(27)
/** Sequences that move the cursor or change the terminal, colours aside. */
const movement = new RegExp(`${ESCAPE}\\[\\??[\\d;]*[A-Zac-ln-z]`, "g")
const colour = new RegExp(`(${ESCAPE}\\[[\\d;]*m)`)

/** What a terminal shows of a line in the end: later text overwrites earlier text. */
const shown = (line: string): string => (line.replace(/\r$/, "").split("\r").at(-1) ?? "").replaceAll(movement, "")

/** Runs a command in a terminal, in a folder. */
const run = (command: string, cwd: string, env: NodeJS.ProcessEnv, started: number): Promise<ReadonlyArray<Line>> =>
  new Promise((resolve, reject) => {
    const child = ChildProcess.spawn("script", ["-qec", `stty cols ${COLUMNS}; ${command}`, "/dev/null"], {
      cwd,
      env,
      stdio: ["ignore", "pipe", "inherit"]
    })
    const lines: Array<Line> = []
    let rest = ""
    child.stdout.setEncoding("utf8").on("data", (data: string) => {
      const parts = (rest + data).split("\n")
      rest = parts.pop() ?? ""
      for (const part of parts) {
        const text = shown(part)
        if (text !== "") lines.push({ kind: "output", at: milliseconds() - started, text })
      }
    })
    child.on("error", reject)
    child.on("close", (code) =>
      code === 0
        ? resolve(lines)
        : reject(new Error(`${command}: exit ${code}\n${lines.map(({ text }) => text).join("\n")}${rest}`))
    )
  })

/** Runs all commands with a `multifd` of this checkout. */
const record = async (folder: string): Promise<ReadonlyArray<Line>> => {
  const program = `#!/bin/sh\nexec '${process.execPath}' '${Path.join(root, "src/bin.ts")}' "$@"\n`
  Fs.writeFileSync(Path.join(folder, "multifd"), program, { mode: 0o755 })
  const binary = ChildProcess.execFileSync("which", ["qemu-system-x86_64"], { encoding: "utf8" }).trim()
  const shim = `#!/bin/sh\nexec '${binary}' "$@" -pidfile '${folder}'/$$.pid\n`
  Fs.writeFileSync(Path.join(folder, "qemu-system-x86_64"), shim, { mode: 0o755 })
  const env = { ...process.env, PATH: `${folder}:${process.env["PATH"]}`, TERM: "xterm-256color" }
  const started = milliseconds()
  const lines: Array<Line> = []
  for (const command of commands) {
    lines.push({ kind: "command", at: milliseconds() - started, text: command })
    lines.push(...(await run(command, folder, env, started)))
  }
  return lines
}

const escaped = (text: string): string => text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;")

/** Text with the colours that the program gave it. */
const coloured = (text: string): string => {
  let classes = ""
  return text
    .split(colour)
    .map((part) => {
      const codes = colour.test(part) ? part.slice(2, -1) : undefined
      if (codes === undefined)
        return classes === "" ? escaped(part) : `<tspan class="${classes}">${escaped(part)}</tspan>`
      classes = codes
        .split(";")
        .filter((code) => code !== "" && code !== "0")
        .map((code) => `c${code}`)
        .join(" ")
      return ""
    })
    .join("")
}

const wrapped = (text: string): ReadonlyArray<string> => {
  if (text.length <= COLUMNS) return [text]
  const at = text.lastIndexOf(" ", COLUMNS - 4)
  return [`${text.slice(0, at)} \\`, ...wrapped(`    ${text.slice(at + 1)}`)]
}

const style = `
  .back { fill: #f6f8fa; stroke: #d0d7de } .dot { fill: #d0d7de }
  text { font: 13px ui-monospace, "DejaVu Sans Mono", Menlo, Consolas, monospace; fill: #24292f; white-space: pre }
  .command { font-weight: 600 } .prompt, .c32 { fill: #1a7f37 } .c31 { fill: #cf222e } .c33 { fill: #9a6700 }
  .c1 { font-weight: 600 } .c2 { fill: #57606a }
  .line { animation: appear 0.01s both }
  @keyframes appear { from { opacity: 0 } to { opacity: 1 } }
  @media (prefers-color-scheme: dark) {
    .back { fill: #161b22; stroke: #30363d } .dot { fill: #30363d }
    text { fill: #e6edf3 } .prompt, .c32 { fill: #3fb950 } .c31 { fill: #f85149 } .c33 { fill: #d29922 }
    .c2 { fill: #9198a1 }
  }
  @media (prefers-reduced-motion: reduce) { .line { animation: none } }`

/** Milliseconds to read a command and its output. */
const READING = 1000
/** The longest wait for an output, in milliseconds: programs start slowly on a busy machine. */
const LONGEST = 1500

const draw = (lines: ReadonlyArray<Line>): string => {
  let shownAt = 0
  let before = 0
  const rows = lines.flatMap(({ at, kind, text }) => {
    shownAt += Math.min(at - before, LONGEST) + (kind === "output" && shownAt > 0 ? READING / 2 : 0)
    before = at
    const delay = (shownAt / 1000).toFixed(2)
    const parts = kind === "command" ? wrapped(`$ ${text}`) : [text]
    return parts.map((part, index) => ({ delay, kind, part, first: index === 0 }))
  })
  const height = rows.length * LINE + 56
  const width = Math.ceil(COLUMNS * CHARACTER) + 32
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" role="img" aria-labelledby="title">`,
    `<title id="title">A terminal: a running QEMU machine is captured, verified and resumed</title>`,
    `<style>${style}\n</style>`,
    `<rect class="back" x="0.5" y="0.5" width="${width - 1}" height="${height - 1}" rx="8"/>`,
    ...[20, 38, 56].map((x) => `<circle class="dot" cx="${x}" cy="18" r="5"/>`),
    ...rows.map(({ delay, first, kind, part }, index) => {
      const content =
        kind === "command" && first ? `<tspan class="prompt">$</tspan>${escaped(part.slice(1))}` : coloured(part)
      return `<text class="line ${kind}" style="animation-delay:${delay}s" x="16" y="${52 + index * LINE}">${content}</text>`
    }),
    "</svg>",
    ""
  ].join("\n")
}

const folder = Fs.mkdtempSync(Path.join(Os.tmpdir(), "multifd-recording-"))
try {
  const lines = await record(folder)
  Fs.writeFileSync(Path.join(import.meta.dirname, "recording.svg"), draw(lines))
} finally {
  // The shim of QEMU notes the pid of each machine; those that still run end here.
  for (const name of Fs.readdirSync(folder).filter((file) => file.endsWith(".pid")))
    try {
      process.kill(Number(Fs.readFileSync(Path.join(folder, name), "utf8")))
    } catch {
      // It has ended.
    }
  Fs.rmSync(folder, { recursive: true, force: true })
}
