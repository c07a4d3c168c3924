/**
 * The classes of errors that the entry points export, by their tags.
 */
import * as Schema from "effect/Schema"
import * as Format from "../src/format/index.ts"
import * as Library from "../src/index.ts"
import * as Io from "../src/io/index.ts"
import * as Qemu from "../src/qemu/index.ts"
import * as Store from "../src/store/index.ts"
import * as Transfer from "../src/transfer/index.ts"

const modules = [Library, Io, Format, Qemu, Store, Transfer].flatMap((entry): ReadonlyArray<unknown> =>
  Object.values(entry)
)

const isClass = (value: unknown): value is Schema.Top =>
  typeof value === "function" && value.prototype instanceof Error && Schema.isSchema(value)

const exported = modules.flatMap((module): ReadonlyArray<readonly [string, unknown]> =>
  typeof module === "object" && module !== null ? Object.entries(module) : []
)

export const errorClasses: ReadonlyMap<string, Schema.Top> = new Map(
  exported.flatMap(([name, value]) => (isClass(value) ? [[name, value] as const] : [])).toSorted(byName)
)

function byName([a]: readonly [string, unknown], [b]: readonly [string, unknown]): number {
  return a < b ? -1 : 1
}
