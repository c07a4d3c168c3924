/**
 * JSON whose integers of 64 bits stay what they are: those that a double cannot hold become a bigint, and go back as such.
 * QEMU's `max-bandwidth` is any of them, and is put back as it was.
 */
import * as Result from "effect/Result"

/** As many digits as it takes to leave the exact integers of a double. */
const MANY_DIGITS = /\d{16}/
/** No number of QEMU has more digits, and making a bigint of a million digits takes a quarter of a second. */
const INTEGER = /^-?\d{1,20}$/

/** What ES2025 and every supported Node give to a reviver, and TypeScript's ES2024 does not know of. */
type Reviver = (key: string, value: unknown, context: { readonly source?: string }) => unknown

const reviveInteger: Reviver = (_key, value, { source }) =>
  typeof value === "number" && !Number.isSafeInteger(value) && source !== undefined && INTEGER.test(source)
    ? BigInt(source)
    : value

const { rawJSON } = JSON as unknown as { readonly rawJSON: (text: string) => unknown }

/**
 * The value that a text stands for. The failure says what is wrong with the text.
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
 * The text of a value, whose members that are `undefined` are left out.
 *
 * @internal
 */
export const stringify = (value: unknown): string =>
  JSON.stringify(value, (_key, member: unknown) => (typeof member === "bigint" ? rawJSON(String(member)) : member))
