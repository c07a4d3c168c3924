/**
 * Changes the sources one place at a time (`<` to `<=`, `+` to `-`, a condition to `true`, a statement to nothing) and looks
 * whether a test fails: docs/mutation.md.
 *
 *     npm run mutation
 *     MUTATION_SHARE=0.12    part of the mutants that is tried; 1: all of them, for hours
 *     MUTATION_SEED=1        which ones
 *
 * All of it happens in a copy of the project in a temporary directory, where Stryker is installed: two hundred packages that
 * nothing else needs. The report is left in `coverage/mutation.json`.
 */
import * as ChildProcess from "node:child_process"
import * as Fs from "node:fs"
import * as Os from "node:os"
import * as Path from "node:path"

const VERSION = "10.1.1"
const packages = ["core", "vitest-runner"].map((name) => `@stryker-mutator/${name}@${VERSION}`)

const project = Path.resolve(import.meta.dirname, "../..")
const copied = ["src", "test", "package.json", "package-lock.json", "tsconfig.json", "node_modules"]
const report = "reports/mutation/mutation.json"

const run = (directory: string, command: string, args: ReadonlyArray<string>): boolean =>
  ChildProcess.spawnSync(command, args, { cwd: directory, stdio: "inherit" }).status === 0

const mutate = (directory: string): boolean => {
  for (const name of copied) {
    Fs.cpSync(Path.join(project, name), Path.join(directory, name), { recursive: true, verbatimSymlinks: true })
  }
  if (!run(directory, "npm", ["install", "--no-save", "--ignore-scripts", "--no-audit", "--no-fund", ...packages])) {
    return false
  }
  const isEnough = run(directory, "npx", ["--no-install", "stryker", "run", "test/mutation/stryker.json"])
  const made = Path.join(directory, report)
  if (Fs.existsSync(made)) {
    Fs.mkdirSync(Path.join(project, "coverage"), { recursive: true })
    Fs.copyFileSync(made, Path.join(project, "coverage/mutation.json"))
  }
  return isEnough
}

const directory = Fs.mkdtempSync(Path.join(Os.tmpdir(), "multifd-mutation-"))
try {
  process.exitCode = mutate(directory) ? 0 : 1
} finally {
  Fs.rmSync(directory, { recursive: true, force: true })
}
