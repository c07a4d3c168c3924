/** Faults, and what must hold whatever they have done. */
import { assert } from "@effect/vitest"
import * as Cause from "effect/Cause"
import type * as Exit from "effect/Exit"
import * as FaultyFiles from "../../../src/testing/FaultyFiles.ts"

const { Fault } = FaultyFiles

/** How calls go wrong: one of them. Short counts are those of O_DIRECT. */
export const kinds: ReadonlyArray<FaultyFiles.Fault> = [
  ...["EIO", "ENOSPC", "EDQUOT", "EACCES"].map((code) => Fault.Fail({ code })),
  Fault.Short({ bytes: 4096 }),
  Fault.Short({ bytes: 0 }),
  Fault.Delay({ turns: 50 })
]

/** Whether a fault stops a call from doing what it was asked, however often it is repeated. */
export const isHard = (fault: FaultyFiles.Fault): boolean =>
  fault._tag === "Fail" || (fault._tag === "Short" && fault.bytes === 0)

/** The tag of the error, which it was to be: never a defect, never an interruption. */
export const tagOf = (exit: Exit.Exit<unknown, { readonly _tag: string }>, place: string): string => {
  if (exit._tag === "Success") return "success"
  const [reason, ...others] = exit.cause.reasons
  // The cause is put into words only where it is wanted: that takes longer than a migration.
  if (reason === undefined || !Cause.isFailReason(reason)) assert.fail(`${place}: ${Cause.pretty(exit.cause)}`)
  assert.lengthOf(others, 0, place)
  return reason.error._tag
}
