/**
 * JSON that keeps integers of 64 bits exact: those that a double cannot hold become a bigint, and are written back as
 * such. QEMU's `max-bandwidth` can be any of them, and is restored exactly.
 */
import * as Result from "effect/Result"

/** The number of digits beyond which a double may not be exact. */
const MANY_DIGITS = /\d{16}/
/** QEMU's numbers have no more digits, and parsing a bigint of a million digits takes a quarter of a second. */
const INTEGER = /^-?\d{1,20}$/

/** The third argument of a reviver, which ES2025 and every supported Node have, and TypeScript's ES2024 does not. */
type Reviver = (key: string, value: unknown, context: { readonly source?: string }) => unknown

const reviveInteger: Reviver = (_key, value, { source }) =>
  typeof value === "number" && !Number.isSafeInteger(value) && source !== undefined && INTEGER.test(source)
    ? BigInt(source)
    : value

const { rawJSON } = JSON as unknown as { readonly rawJSON: (text: string) => unknown }

/**
 * Parses a text. The failure describes the problem with the text.
 *
 * @internal
 */
export const parse = (text: string): Result.Result<unknown, string> =>
  Result.try({
    try: () =>
      (MANY_DIGITS.test(text)
        ? JSON.parse(text, reviveInteger as (key: string, value: unknown) => unknown)
        : JSON.parse(text)) as unknown,
    catch: (error) => (error instanceof Error ? error.message : String(error))
  })

/**
 * Formats a value; `undefined` members are left out.
 *
 * @internal
 */
export const stringify = (value: unknown): string =>
  JSON.stringify(value, (_key, member: unknown) => (typeof member === "bigint" ? rawJSON(String(member)) : member))
