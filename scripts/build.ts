/**
 * Builds `dist`: `npm run build`.
 *
 *     dist/….d.ts             types, with the documentation
 *     dist/….js               the library, module by module
 *     dist/bin.js             looks at Node's version and loads
 *     dist/multifd.js         the command in one file
 */
import * as ChildProcess from "node:child_process"
import * as Fs from "node:fs"
import * as Path from "node:path"
import { bundleCommand } from "./bundle.ts"

const root = Path.resolve(import.meta.dirname, "..")
const dist = Path.join(root, "dist")

const compile = (...flags: ReadonlyArray<string>): void => {
  const tsc = Path.join(root, "node_modules/typescript/bin/tsc")
  const args = [tsc, "-p", Path.join(root, "tsconfig.build.json"), ...flags]
  ChildProcess.execFileSync(process.execPath, args, { stdio: "inherit" })
}

Fs.rmSync(dist, { recursive: true, force: true })
compile("--emitDeclarationOnly")
// The documentation is in the types; a second copy would make the package too large.
compile("--declaration", "false", "--removeComments")
for (const name of ["cli", "main.js", "main.d.ts", "bin.js", "bin.d.ts"])
  Fs.rmSync(Path.join(dist, name), { recursive: true })
await bundleCommand(dist)
