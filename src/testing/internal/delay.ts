import type { Fault } from "./faultyFilesModel.ts"
import type { Later } from "../Simulation.ts"

const wait = (turns: number, run: () => void, later: Later): void => {
  if (turns <= 0) run()
  else later(() => wait(turns - 1, run, later))
}

/**
 * Runs a function at once, or later if the fault is a delay.
 *
 * @internal
 */
export const afterTurns = (fault: Fault | undefined, run: () => void, later: Later): void =>
  wait(fault?._tag === "Delay" ? fault.turns : 0, run, later)
