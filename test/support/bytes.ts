/**
 * Bytes, written down and made up.
 */
import * as Arbitrary from "effect/Arbitrary"
import * as V8 from "node:v8"
import { between } from "./arbitraries.ts"

/** Bytes of hexadecimal digits; spaces and line ends are for the reader. */
export const hex = (digits: string): Uint8Array => new Uint8Array(Buffer.from(digits.replaceAll(/\s/g, ""), "hex"))

/** Bytes of text. */
export const text = (value: string): Uint8Array => new Uint8Array(Buffer.from(value))

/** One behind the other. */
export const concat = (...parts: ReadonlyArray<Uint8Array>): Uint8Array => new Uint8Array(Buffer.concat(parts))

/** Any bytes. */
export const bytes = (maxLength: number): Arbitrary.Arbitrary<Uint8Array> =>
  Arbitrary.map(Arbitrary.array(between(0, 255), { maxLength }), (values) => new Uint8Array(values))

/** A change of some bytes: each place, as a part of 2^20 of the whole, gets another value. */
export type Mutation = ReadonlyArray<{ readonly place: number; readonly value: number }>

/** One to four changed bytes. */
export const mutation: Arbitrary.Arbitrary<Mutation> = Arbitrary.array(
  Arbitrary.all({ place: between(0, 2 ** 20 - 1), value: between(0, 255) }),
  { minLength: 1, maxLength: 4 }
)

/** Applies a mutation to a copy. */
export const mutate = (original: Uint8Array, changes: Mutation): Uint8Array => {
  const copy = original.slice()
  for (const { place, value } of changes) {
    const index = Math.floor((place / 2 ** 20) * copy.length)
    if (index < copy.length) copy[index] = value
  }
  return copy
}

/** Bytes that are allocated now, on the heap and outside of it. */
export const allocated = (): number => {
  const { external_memory, used_heap_size } = V8.getHeapStatistics()
  return external_memory + used_heap_size
}
