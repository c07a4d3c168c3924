/** The generated files from the definitions of the commands, by their paths in the repository. */
import * as Path from "node:path"
import * as Prettier from "prettier"
import * as JsonSchema from "./jsonSchema.ts"

const root = Path.resolve(import.meta.dirname, "..")

const formatted = async (path: string, text: string): Promise<string> => {
  const options = await Prettier.resolveConfig(Path.join(root, path))
  return Prettier.format(text, { ...options, filepath: path })
}

/** Everything that is generated. */
export const generated = async (): Promise<ReadonlyMap<string, string>> => {
  const schema = "schema/multifd.schema.json"
  return new Map([[schema, await formatted(schema, JSON.stringify(JsonSchema.make(), null, 2))]])
}
