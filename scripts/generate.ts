/**
 * Writes the files that are generated from the definitions of the commands: `npm run generate`. With `--check`, only
 * lists those that are out of date.
 */
import * as Fs from "node:fs"
import * as Path from "node:path"
import { generated } from "./generated.ts"

const root = Path.resolve(import.meta.dirname, "..")
const isCheck = process.argv.includes("--check")

for (const [name, text] of await generated()) {
  const path = Path.join(root, name)
  const isThere = Fs.existsSync(path) && Fs.readFileSync(path, "utf8") === text
  if (isThere) continue
  console.log(`${isCheck ? "not up to date" : "written"}: ${name}`)
  if (isCheck) {
    process.exitCode = 1
    continue
  }
  Fs.mkdirSync(Path.dirname(path), { recursive: true })
  Fs.writeFileSync(path, text)
}
