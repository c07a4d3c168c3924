import { Buffer } from "node:buffer"

type Json = null | boolean | number | string | ReadonlyArray<Json> | { readonly [key: string]: Json | undefined }

/** Sorted keys, no spaces, and no fields without a value: equal values are equal bytes. */
const canonical = (value: Json): string => {
  if (value === null || typeof value !== "object") return JSON.stringify(value)
  if (Array.isArray(value)) return `[${(value as ReadonlyArray<Json>).map(canonical).join(",")}]`
  const fields = Object.entries(value as { readonly [key: string]: Json | undefined })
    .filter((entry): entry is [string, Json] => entry[1] !== undefined)
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, field]) => `${JSON.stringify(key)}:${canonical(field)}`)
  return `{${fields.join(",")}}`
}

/** The canonical JSON of a value. @internal */
export const toBytes = (value: unknown): Uint8Array => new Uint8Array(Buffer.from(canonical(value as Json), "utf8"))

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true })

/** The value of canonical JSON text; `undefined` for any other bytes. @internal */
export const fromBytes = (bytes: Uint8Array): unknown => {
  try {
    const value: unknown = JSON.parse(utf8.decode(bytes))
    return Buffer.compare(toBytes(value), bytes) === 0 ? value : undefined
  } catch {
    return undefined
  }
}
