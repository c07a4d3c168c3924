/** The program in a real terminal: a pty of `script`, whose size `stty` sets. */
import * as Effect from "effect/Effect"
import * as ChildProcess from "node:child_process"
import * as Path from "node:path"

const BIN = Path.resolve(import.meta.dirname, "../../../src/bin.ts")

/** Whether this machine has what it takes. */
export const isThere = ["script", "stty"].every((name) => ChildProcess.spawnSync(name, ["--version"]).status === 0)

export interface Terminal {
  readonly press: (keys: string) => void
  readonly resize: (columns: number) => void
}

const quoted = (words: ReadonlyArray<string>): string =>
  words.map((word) => `'${word.replaceAll("'", `'\\''`)}'`).join(" ")

/** Runs the program to its end; `onText` sees everything that the terminal got so far. */
export const run = (
  options: { readonly columns: number; readonly term?: string | undefined },
  args: ReadonlyArray<string>,
  onText: (text: string, terminal: Terminal) => void = () => {}
): Effect.Effect<{ readonly code: number | null; readonly text: string }> =>
  Effect.callback((resume) => {
    const { columns, term = "xterm" } = options
    const command = `tty; stty cols ${columns}; exec ${quoted([process.execPath, BIN, ...args])}`
    const env = { ...process.env, TERM: term, SHELL: "/bin/sh" }
    const child = ChildProcess.spawn("script", ["-qec", command, "/dev/null"], {
      env,
      stdio: ["pipe", "pipe", "inherit"]
    })
    let text = ""
    const terminal: Terminal = {
      press: (keys) => void child.stdin.write(keys),
      resize: (size) => {
        const tty = text.split("\r\n", 1)[0]!
        ChildProcess.spawnSync("stty", ["-F", tty, "cols", String(size)])
      }
    }
    child.stdout.setEncoding("utf8").on("data", (more: string) => {
      text += more
      onText(text, terminal)
    })
    child.on("close", (code) => resume(Effect.succeed({ code, text: text.slice(text.indexOf("\r\n") + 2) })))
    return Effect.sync(() => void child.kill("SIGKILL"))
  })

/** What was drawn over and over in one line. */
export const drawn = (text: string): ReadonlyArray<string> =>
  text
    .split("\r\u001b[K\u001b[?7l")
    .slice(1)
    .map((part) => part.split("\u001b[?7h", 1)[0]!)
