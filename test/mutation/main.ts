/**
 * Changes the sources one place at a time (`<` to `<=`, `+` to `-`, a condition to `true`, a statement to nothing) and looks
 * whether a test fails: docs/internals/mutation.md.
 *
 *     npm run mutation
 *     MUTATION_ROOM=io          that folder of `src`, or several: io,qmp; all of them by default, one after the other
 *     MUTATION_SAMPLE=60        how many mutants of each, `all` for every one; rooms.ts says how many by default
 *     MUTATION_SEED=1           which ones
 *     MUTATION_ONLY=FILE:12-40  all mutants of these lines instead, with the tests of one room
 *
 * All of it happens in a copy of the project in a temporary directory, where Stryker is installed: two hundred packages that
 * nothing else needs. The reports are left in `coverage/mutation-ROOM.json`.
 */
import * as ChildProcess from "node:child_process"
import * as Fs from "node:fs"
import * as Os from "node:os"
import * as Path from "node:path"
import { roomOf, rooms } from "./rooms.ts"

const VERSION = "10.1.1"
const packages = ["core", "vitest-runner"].map((name) => `@stryker-mutator/${name}@${VERSION}`)

const project = Path.resolve(import.meta.dirname, "../..")
const copied = ["src", "test", "package.json", "package-lock.json", "tsconfig.json", "node_modules"]
const report = "reports/mutation/mutation.json"

const run = (directory: string, command: string, args: ReadonlyArray<string>, env: NodeJS.ProcessEnv = {}): boolean =>
  ChildProcess.spawnSync(command, args, { cwd: directory, stdio: "inherit", env: { ...process.env, ...env } })
    .status === 0

const install = (directory: string): boolean => {
  for (const name of copied) {
    Fs.cpSync(Path.join(project, name), Path.join(directory, name), { recursive: true, verbatimSymlinks: true })
  }
  return run(directory, "npm", ["install", "--no-save", "--ignore-scripts", "--no-audit", "--no-fund", ...packages])
}

/** Whether enough of the mutants were noticed. */
const mutate = (directory: string, room: string): boolean => {
  const made = Path.join(directory, report)
  Fs.rmSync(made, { force: true })
  const args = ["--no-install", "stryker", "run", "test/mutation/stryker.ts"]
  const isEnough = run(directory, "npx", args, { MUTATION_ROOM: room })
  if (Fs.existsSync(made)) {
    Fs.mkdirSync(Path.join(project, "coverage"), { recursive: true })
    Fs.copyFileSync(made, Path.join(project, `coverage/mutation-${room}.json`))
  }
  return isEnough
}

const { MUTATION_ROOM = Object.keys(rooms).join(",") } = process.env
const chosen = MUTATION_ROOM.split(",")
for (const room of chosen) roomOf(room)

const directory = Fs.mkdtempSync(Path.join(Os.tmpdir(), "multifd-mutation-"))
try {
  const lacking = install(directory) ? chosen.filter((room) => !mutate(directory, room)) : chosen
  if (lacking.length > 0) console.error(`not enough: ${lacking.join(", ")}`)
  process.exitCode = lacking.length > 0 ? 1 : 0
} finally {
  Fs.rmSync(directory, { recursive: true, force: true })
}
