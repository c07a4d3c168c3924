/**
 * Programs that the project's tests run.
 */
import * as ChildProcess from "node:child_process"
import * as Path from "node:path"

/** The project's own folder. */
export const root = Path.resolve(import.meta.dirname, "../../..")

/** Runs a program in a folder; gives what it printed on stdout. A failure carries everything that it printed. */
export const run = (cwd: string, program: string, ...args: ReadonlyArray<string>): Promise<string> =>
  new Promise((resolve, reject) => {
    ChildProcess.execFile(program, args, { cwd, encoding: "utf8", maxBuffer: 64 << 20 }, (error, stdout, stderr) => {
      if (error === null) resolve(stdout)
      else reject(new Error(`${program} ${args.join(" ")}: exit ${error.code}\n${stdout}\n${stderr}`))
    })
  })

/** Type-checks the project of a folder. */
export const typeCheck = (cwd: string): Promise<string> =>
  run(cwd, Path.join(root, "node_modules/.bin/tsc"), "--project", "tsconfig.json", "--pretty", "false")
