import * as Result from "effect/Result"
import * as Finding from "../../Finding.ts"

/** The parts of a store that a finding is about. @internal */
export type Code = Extract<Finding.FindingCode, `store-${string}`>

/** @internal */
export const found = (
  code: Code,
  offset: number,
  expected: string,
  actual: string
): Result.Result<never, Finding.Finding> => Result.fail(Finding.make({ code, offset, expected, found: actual }))

/** A message of Schema's in one line, of limited length. @internal */
export const oneLine = (message: string): string => message.replaceAll(/\s+/g, " ").slice(0, 200)
