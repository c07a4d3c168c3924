/** The JSON Schema of the output of `multifd … --json`, generated from the schemas of the commands' results. */
import * as Schema from "effect/Schema"
import { VERSION } from "../src/cli/internal/answer.ts"
import { commands } from "../src/cli/internal/commands.ts"
import { Failure, HIDDEN } from "../src/cli/internal/failure.ts"
import * as Finding from "../src/format/Finding.ts"
import { otherResults } from "../src/cli/internal/report.ts"
import { errorClasses } from "./errorClasses.ts"

type Json = null | boolean | number | string | ReadonlyArray<Json> | { readonly [key: string]: Json }
type JsonObject = { readonly [key: string]: Json }

const isObject = (value: Json | undefined): value is JsonObject =>
  typeof value === "object" && value !== null && !Array.isArray(value)

const isNull = (value: Json): boolean => isObject(value) && value["type"] === "null"

/** A field that may be missing is never null: `JSON.stringify` leaves it out. */
const withoutNull = (field: Json): Json => {
  const choices = isObject(field) ? field["anyOf"] : undefined
  const others = Array.isArray(choices) ? choices.filter((choice) => !isNull(choice)) : []
  return others.length === 1 ? others[0] : field
}

/** The implicit bounds of all integers. */
const isBound = (value: Json): boolean => value === Number.MAX_SAFE_INTEGER || value === Number.MIN_SAFE_INTEGER

/** A later version of the program may print more fields. */
const isNoise = ([key, value]: [string, Json]): boolean => key === "additionalProperties" || isBound(value)

const tidy = (value: Json): Json => {
  if (Array.isArray(value)) return value.map(tidy)
  if (!isObject(value)) return value
  const required = value["required"] ?? []
  const tidied = Object.fromEntries(
    Object.entries(value)
      .filter((entry) => !isNoise(entry))
      .map(([key, inner]) => [key, tidy(inner)])
  )
  const fields = tidied["properties"]
  if (!isObject(fields) || !Array.isArray(required)) return tidied
  const properties = Object.entries(fields).map(([name, field]) => [
    name,
    required.includes(name) ? field : withoutNull(field)
  ])
  return { ...tidied, properties: Object.fromEntries(properties) }
}

/** The schema of a result; what it refers to is written out. */
const schemaOf = (result: Schema.Top): JsonObject => {
  const { schema } = Schema.toJsonSchemaDocument(result, { referencePolicy: () => undefined })
  const tidied = tidy(JSON.parse(JSON.stringify(schema)))
  return isObject(tidied) ? tidied : {}
}

const propertiesOf = (schema: JsonObject): JsonObject => (isObject(schema["properties"]) ? schema["properties"] : {})
const requiredOf = (schema: JsonObject): ReadonlyArray<Json> => {
  const required = schema["required"]
  return Array.isArray(required) ? required : []
}

const finding = schemaOf(Finding.Finding)
const findingText = JSON.stringify(finding)

/** Findings are long, and in many errors. */
const withReferences = (value: Json): Json => {
  if (JSON.stringify(value) === findingText) return { $ref: "#/$defs/finding" }
  if (Array.isArray(value)) return value.map(withReferences)
  if (!isObject(value)) return value
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, withReferences(inner)]))
}

/** The fields of a class, for an error with its tag. */
const fieldsOf = (tag: string, schema: JsonObject): JsonObject => {
  const properties = Object.entries(propertiesOf(schema)).filter(([name]) => !HIDDEN.has(name))
  const required = requiredOf(schema).filter((name) => !HIDDEN.has(String(name)))
  return {
    anyOf: [
      { properties: { tag: { not: { const: tag } } } },
      {
        properties: {
          tag: { const: tag },
          ...Object.fromEntries(properties.map(([name, field]) => [name, withReferences(field)]))
        },
        required
      }
    ]
  }
}

const error: JsonObject = {
  ...schemaOf(Failure),
  allOf: [...errorClasses].filter(([tag]) => tag !== "Finding").map(([tag, one]) => fieldsOf(tag, schemaOf(one)))
}

const version = { const: VERSION, description: "The version of this envelope" }

const document = (name: string, result: Schema.Top): JsonObject => {
  const schema = schemaOf(result)
  const failure = { $ref: "#/$defs/error", description: "What the result amounts to, where that is a failure" }
  return {
    type: "object",
    properties: { version, command: { const: name }, ...propertiesOf(schema), error: failure },
    required: ["version", "command", ...requiredOf(schema)]
  }
}

const failed: JsonObject = {
  type: "object",
  properties: {
    version,
    command: { type: ["string", "null"], description: "null where the command line names no command" },
    error: { $ref: "#/$defs/error" }
  },
  required: ["version", "command", "error"]
}

const results = [...commands.map(({ name, result }) => [name, result] as const), ...Object.entries(otherResults)]

/** The schema that is published. */
export const make = (): JsonObject => ({
  $schema: "https://json-schema.org/draft/2020-12/schema",
  title: "multifd --json",
  description: "The one document that a command prints on stdout with --json, be it its result or its failure",
  anyOf: [...results.map(([name]) => ({ $ref: `#/$defs/${name}` })), { $ref: "#/$defs/failed" }],
  $defs: {
    ...Object.fromEntries(results.map(([name, result]) => [name, document(name, result)])),
    failed,
    error,
    finding
  }
})
