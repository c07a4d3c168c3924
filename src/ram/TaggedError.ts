/**
 * The base of all error classes: Effect's, printed with the message first.
 *
 * @since 0.1.0
 */
import * as Schema from "effect/Schema"

interface Printed extends Error {
  readonly _tag: string
}

type Inspect = (value: unknown, options: object) => string

/**
 * Fields are part of the message. The stack is left out: it is that of the code that made the error, and no caller's.
 */
function inspectError(this: Printed, depth: number, options: object, inspect: Inspect): string {
  const line = `${this._tag}: ${this.message}`
  const { cause } = this
  if (cause === undefined || depth < 0) return line
  return `${line}\n  [cause]: ${cause instanceof Error ? String(cause) : inspect(cause, options)}`
}

const INSPECT = Symbol.for("nodejs.util.inspect.custom")

const printed = <C extends { readonly prototype: object }>(base: C): C => {
  Object.defineProperty(base.prototype, INSPECT, { value: inspectError, configurable: true, writable: true })
  return base
}

/**
 * `Schema.TaggedError`, whose instances `console.log` and `util.inspect` show as their tag and message, and their
 * cause.
 *
 * @internal
 */
export const TaggedError = (<Self>(identifier?: string) => {
  const make = Schema.TaggedError<Self>(identifier)
  return (tag: string, fields: Schema.Struct.Fields) => printed(make(tag, fields) as { readonly prototype: object })
}) as unknown as typeof Schema.TaggedError
