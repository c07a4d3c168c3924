import type { Fault } from "../FaultyFiles.ts"

const wait = (turns: number, run: () => void): void => {
  if (turns <= 0) run()
  else setImmediate(() => wait(turns - 1, run))
}

/**
 * Does something at once, or later where the fault is that it is delayed.
 *
 * @internal
 */
export const afterTurns = (fault: Fault | undefined, run: () => void): void =>
  wait(fault?._tag === "Delay" ? fault.turns : 0, run)
