/** The generated files from the definitions of the commands, by their paths in the repository. */
import * as Fs from "node:fs"
import * as Path from "node:path"
import * as Prettier from "prettier"
import { commandReference } from "./commandReference.ts"
import { pages } from "./helpPages.ts"
import * as JsonSchema from "./jsonSchema.ts"
import { manPages } from "./manPages.ts"

const root = Path.resolve(import.meta.dirname, "..")

const formatted = async (path: string, text: string): Promise<string> => {
  const options = await Prettier.resolveConfig(Path.join(root, path))
  return Prettier.format(text, { ...options, filepath: path })
}

/** The package names each of its manual pages. */
const packageJson = (manual: ReadonlyArray<string>): string => {
  const { man: _, ...fields } = JSON.parse(Fs.readFileSync(Path.join(root, "package.json"), "utf8"))
  const entries = Object.entries(fields).flatMap(([name, value]) =>
    name === "bin"
      ? [
          [name, value],
          ["man", manual.map((page) => `./${page}`)]
        ]
      : [[name, value]]
  )
  return `${JSON.stringify(Object.fromEntries(entries), null, 2)}\n`
}

/** Everything that is generated. */
export const generated = async (): Promise<ReadonlyMap<string, string>> => {
  const schema = "schema/multifd.schema.json"
  const reference = "docs/reference/command.md"
  const help = await pages()
  const manual = manPages(help)
  return new Map([
    ["package.json", packageJson([...manual.keys()])],
    [schema, await formatted(schema, JSON.stringify(JsonSchema.make(), null, 2))],
    [reference, await formatted(reference, commandReference(help))],
    ...manual
  ])
}
