/** What a scenario does to calls and connections. */
import * as FaultyFiles from "../../../src/testing/FaultyFiles.ts"
import type * as VirtualNetwork from "../../../src/testing/VirtualNetwork.ts"
import type { Chance } from "./chance.ts"
import type { Scenario, Side } from "./scenario.ts"

type Plan = FaultyFiles.Plan<{ readonly index: number }>

const { Fault } = FaultyFiles

/** What no one may notice: calls that take longer, or do a part of what they were asked. */
const noise = (scenario: Scenario, chance: Chance): FaultyFiles.Fault | undefined => {
  if (scenario.noise === 0 || !chance.oneIn(scenario.noise)) return undefined
  // O_DIRECT deals in blocks.
  const bytes = scenario.directIo ? 4096 * chance.between(1, 8) : chance.pick([13, 400, 3000])
  return chance.oneIn(2) ? Fault.Delay({ turns: chance.between(1, 20) }) : Fault.Short({ bytes })
}

/** Calls of one side, on files or on sockets. */
export const calls = (
  scenario: Scenario,
  chance: Chance,
  where: { readonly side: Side; readonly of: "file" | "socket" }
): Plan => {
  const { trouble } = scenario
  const isHere = trouble._tag === "Call" && trouble.side === where.side && trouble.of === where.of
  const planned: Plan = !isHere
    ? () => undefined
    : trouble.often === "once"
      ? FaultyFiles.at(trouble.index, trouble.fault)
      : FaultyFiles.from(trouble.index, trouble.fault)
  return (call) => planned(call) ?? noise(scenario, chance)
}

export const connections = ({ trouble }: Scenario): ReadonlyArray<VirtualNetwork.Rule> =>
  trouble._tag === "Connection" ? [trouble.rule] : []
