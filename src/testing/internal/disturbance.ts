// The condition above puts the byte inside the piece.
// oxlint-disable typescript/no-non-null-assertion -- see above
import type * as Duration from "effect/Duration"
import type { Fault, Rule } from "./virtualNetworkModel.ts"
import type { Disturbance, Pipe } from "./virtualPipe.ts"

interface Hands {
  readonly cut: (pipe: Pipe) => void
  readonly reset: () => void
  readonly sleep: (duration: Duration.Input, wake: () => void) => void
}

const stops = new Set<Fault["_tag"]>(["Cut", "Reset", "Stall", "Delay"])

/**
 * The effect of the rules on one direction of one connection.
 *
 * @internal
 */
export const disturbanceOf = (rules: ReadonlyArray<Rule>, hands: Hands): Disturbance => {
  const waiting = new Set(rules.filter(({ fault }) => stops.has(fault._tag)))

  const stop = (fault: Fault, pipe: Pipe): void => {
    if (fault._tag === "Cut") hands.cut(pipe)
    else if (fault._tag === "Reset") hands.reset()
    else pipe.halt()
    if (fault._tag === "Delay") hands.sleep(fault.duration, () => pipe.resume())
  }

  return {
    nextStop: (position) =>
      Math.min(Number.POSITIVE_INFINITY, ...[...waiting].map(({ at = 0 }) => at).filter((at) => at >= position)),
    stopAt: (position, pipe) =>
      [...waiting]
        .filter(({ at = 0 }) => at <= position)
        .forEach((rule) => {
          waiting.delete(rule)
          stop(rule.fault, pipe)
        }),
    readLimit: (position) =>
      Math.min(
        Number.POSITIVE_INFINITY,
        ...rules.map(({ at = 0, fault }) =>
          fault._tag === "Short" && at <= position ? fault.bytes : Number.POSITIVE_INFINITY
        )
      ),
    damage: (position, bytes) =>
      rules.forEach(({ at = 0, fault }) => {
        if (fault._tag !== "Corrupt" || at < position || at >= position + bytes.length) return
        bytes[at - position]! ^= fault.mask
      })
  }
}
