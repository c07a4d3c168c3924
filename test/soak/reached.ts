/**
 * Which characters of the sources have run, as V8 counts them. Tools that guide by coverage bring native code that has to be built;
 * the counters that V8 has for `--coverage` tell the same, only slower: asking costs milliseconds, so it is done for many
 * inputs at once.
 */
import * as Inspector from "node:inspector"

/** Only ours: the numbers of everything else would only take time. */
const SOURCES = "/src/"

interface Range {
  readonly startOffset: number
  readonly endOffset: number
  readonly count: number
}

interface Script {
  readonly scriptId: string
  readonly url: string
  readonly functions: ReadonlyArray<{ readonly ranges: ReadonlyArray<Range> }>
}

/** Characters of one script that ran and never had before. */
interface Found {
  readonly known: Uint8Array
  readonly offsets: ReadonlyArray<number>
}

/** The counters. */
export interface Reached {
  /** What has run since the last call and never had before; nothing of it is told again. */
  readonly more: () => ReadonlyArray<Found>
  /** What was found is as new as it was. */
  readonly forget: (found: ReadonlyArray<Found>) => void
  /** Characters that have run. */
  readonly count: () => number
  readonly stop: () => void
}

/** V8 leaves out a block that ran as often as what is around it: so the characters are compared, not the blocks. */
const ran = ({ functions }: Script): Uint8Array => {
  const ranges = functions.flatMap(({ ranges }) => ranges)
  const characters = new Uint8Array(Math.max(0, ...ranges.map(({ endOffset }) => endOffset)))
  for (const { count, endOffset, startOffset } of ranges) characters.fill(count > 0 ? 1 : 0, startOffset, endOffset)
  return characters
}

/** Begins to count. */
export const start = (): Reached => {
  const session = new Inspector.Session()
  session.connect()
  session.post("Profiler.enable")
  session.post("Profiler.startPreciseCoverage", { callCount: true, detailed: true })
  const scripts = new Map<string, Uint8Array>()
  const take = (): ReadonlyArray<Script> => {
    let taken: ReadonlyArray<Script> = []
    session.post("Profiler.takePreciseCoverage", (_, { result }) => void (taken = result))
    return taken.filter(({ url }) => url.includes(SOURCES))
  }
  const knownOf = (scriptId: string, length: number): Uint8Array => {
    const before = scripts.get(scriptId) ?? new Uint8Array(0)
    if (before.length >= length) return before
    const known = new Uint8Array(length)
    known.set(before)
    scripts.set(scriptId, known)
    return known
  }
  const newIn = (script: Script): Found => {
    const characters = ran(script)
    const known = knownOf(script.scriptId, characters.length)
    const offsets: Array<number> = []
    for (let at = 0; at < characters.length; at++) if (characters[at] === 1 && known[at] === 0) offsets.push(at)
    for (const at of offsets) known[at] = 1
    return { known, offsets }
  }
  return {
    more: () =>
      take()
        .map(newIn)
        .filter(({ offsets }) => offsets.length > 0),
    forget: (found) => {
      for (const { known, offsets } of found) for (const at of offsets) known[at] = 0
    },
    count: () =>
      [...scripts.values()].reduce((sum, known) => sum + known.filter((character) => character === 1).length, 0),
    stop: () => session.disconnect()
  }
}
