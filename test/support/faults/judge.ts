/** What every decoder promises, whatever it is given. */
import { assert } from "@effect/vitest"
import { allocated } from "../bytes.ts"
import type { Problem } from "./decoders.ts"

/**
 * What may be allocated for an input of some KiB: the 64 MiB of an image with holes that are searched through, some of it
 * twice, and far less than what a number in it may say.
 */
const MAX_ALLOCATED = 128 * 1024 * 1024

/** An input, so that it can be tried again. */
export const shown = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex")

/** Every answer says what is wrong, and costs no more than an input of this size may. */
export const check = (input: Uint8Array, problems: ReadonlyArray<Problem>, before: number): void => {
  const more = allocated() - before
  if (more > MAX_ALLOCATED) assert.fail(`allocated ${more} bytes for ${shown(input)}`)
  for (const { expected, found } of problems) {
    if (typeof expected !== "string" || typeof found !== "string") assert.fail(`says nothing of ${shown(input)}`)
  }
}

/** Gives an input to a decoder, and says whether it was refused. */
export const isRefused = (decode: (bytes: Uint8Array) => ReadonlyArray<Problem>, input: Uint8Array): boolean => {
  const before = allocated()
  let problems: ReadonlyArray<Problem>
  try {
    problems = decode(input)
  } catch (error) {
    throw new Error(`with ${shown(input)}`, { cause: error })
  }
  check(input, problems, before)
  return problems.length > 0
}
