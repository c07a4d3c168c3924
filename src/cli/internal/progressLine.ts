import type { Phase, Snapshot } from "../../migration/Progress.ts"
import type { QemuStatistics } from "../../qemu/QemuStatistics.ts"
import * as Text from "./text.ts"

const phases: Readonly<Record<Phase, string>> = {
  waiting: "waiting",
  setup: "setting up",
  ram: "RAM",
  device: "device state",
  sync: "making durable",
  cancelling: "rolling back",
  completed: "done",
  failed: "failed",
  cancelled: "cancelled"
}

const percent = (done: number, total: number): string => `${Math.min(Math.floor((done * 100) / total), 100)}%`

/**
 * QEMU's side: its status, its remaining bytes, and its passes over RAM.
 *
 * @internal
 */
export const otherSideFields = ({ ram = {}, status = "none" }: QemuStatistics): ReadonlyArray<string> => {
  const { remaining, "dirty-sync-count": pass } = ram
  return [
    `  QEMU: ${Text.printable(status)}`,
    ...(remaining === undefined ? [] : [`, ${Text.bytes(remaining)} left`]),
    ...(pass === undefined ? [] : [`, pass ${pass}`])
  ]
}

/** `true` if rounds are unknown, as for a sender that we only listen to. */
const isBeyond = ({ bytesDone, bytesTotal, round }: Pick<Snapshot, "bytesDone" | "bytesTotal" | "round">): boolean =>
  round <= 1 && bytesDone > bytesTotal

/** The progress in the current round; for a sender with unknown rounds, the total progress. */
const ofRound = ({ bytesDone, bytesRemaining, bytesTotal, phase, round, roundBytesTotal }: Snapshot) => {
  const name = phases[phase]
  if (isBeyond({ bytesDone, bytesTotal, round })) {
    const again = `, ${Text.bytes(bytesDone - bytesTotal)} again`
    return [name, `  ${Text.bytes(bytesTotal)}${phase === "ram" ? again : ""}`]
  }
  const isLater = round > 1 && phase === "ram"
  const finished = round > 1 ? bytesTotal : bytesDone
  const [done, total] = isLater ? [roundBytesTotal - bytesRemaining, roundBytesTotal] : [finished, bytesTotal]
  const ordinal = isLater ? ` round ${round}` : ""
  return [
    `${name}${ordinal} ${total === 0 ? "100%" : percent(done, total)}`,
    `  ${Text.bytes(done)} of ${Text.bytes(total)}`
  ]
}

/** The most important first; each begins with its separator. Only the phase before it has a known total. */
const fieldsOf = (now: Snapshot, otherSide: QemuStatistics | undefined): ReadonlyArray<string> => {
  const theirs = otherSide === undefined ? [] : otherSideFields(otherSide)
  if (now.bytesTotal === 0) return [phases[now.phase], ...theirs]
  const eta =
    now.phase === "ram" && now.etaMillis !== undefined && !isBeyond(now)
      ? [`  ETA ${Text.duration(now.etaMillis)}`]
      : []
  return [
    ...ofRound(now),
    `  ${Text.bytes(now.bytesPerSecond)}/s`,
    ...eta,
    ...theirs,
    `  ${now.pages} pages, ${now.zeroPages} zero`
  ]
}

/** As many fields as fit, from the left; the first one is truncated if necessary. */
const fit = ([first = "", ...others]: ReadonlyArray<string>, columns: number): string => {
  let text = first.slice(0, columns)
  for (const field of others) {
    if (text.length + field.length > columns) return text
    text += field
  }
  return text
}

/**
 * The progress line for a terminal of `columns` columns: phase, bytes, rate, remaining time, QEMU's side if there is
 * one, and pages.
 *
 * @internal
 */
export const progressLine = (now: Snapshot, otherSide?: QemuStatistics, columns = Infinity): string =>
  fit(fieldsOf(now, otherSide), columns)
