/** The documents that `--json` prints, held against the schema that is published. */
import { Ajv2020 } from "ajv/dist/2020.js"
import * as Fs from "node:fs"
import * as Path from "node:path"

const path = Path.resolve(import.meta.dirname, "../../../schema/multifd.schema.json")

interface Documents {
  readonly $defs: Readonly<Record<string, object>>
}

/** Fields that the schema does not know are missing in it. */
const strict = (document: object): object => ({ ...document, additionalProperties: false })

const published: Documents = JSON.parse(Fs.readFileSync(path, "utf8"))
const $defs = Object.fromEntries(
  Object.entries(published.$defs).map(([name, schema]) => [
    name,
    name === "error" || name === "finding" ? schema : strict(schema)
  ])
)
const ajv = new Ajv2020({
  strict: true,
  strictTypes: false,
  strictTuples: false,
  strictRequired: false,
  allowUnionTypes: true
})
const validate = ajv.compile({ ...published, $defs })

/** What is wrong with a document; nothing where it is of the schema. */
export const problemsOf = (document: unknown): ReadonlyArray<string> =>
  validate(document) ? [] : (validate.errors ?? []).map((error) => `${error.instancePath} ${error.message}`)
