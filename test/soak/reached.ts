/**
 * Which blocks of the sources have run, as V8 counts them. Tools that guide by coverage bring native code that has to be built;
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

/** The counters. */
export interface Reached {
  /** Blocks that have run since the last call, and about how often, none of which has ever been given. */
  readonly more: () => ReadonlyArray<string>
  /** The blocks are as new as they were. */
  readonly forget: (blocks: ReadonlyArray<string>) => void
  readonly count: () => number
  readonly stop: () => void
}

/** One, two, some, many: as often as tells one kind of loop from another. */
const often = (count: number): number => Math.min(4, 32 - Math.clz32(count))

/** Begins to count. */
export const start = (): Reached => {
  const session = new Inspector.Session()
  session.connect()
  session.post("Profiler.enable")
  session.post("Profiler.startPreciseCoverage", { callCount: true, detailed: true })
  const known = new Set<string>()
  const blocks = (): ReadonlyArray<string> => {
    let scripts: ReadonlyArray<Script> = []
    session.post("Profiler.takePreciseCoverage", (_, answer) => void (scripts = answer.result))
    return scripts.flatMap(({ functions, scriptId, url }) =>
      url.includes(SOURCES)
        ? functions.flatMap(({ ranges }) =>
            ranges
              .filter(({ count }) => count > 0)
              .map(({ count, endOffset, startOffset }) => `${scriptId}:${startOffset}-${endOffset} ${often(count)}`)
          )
        : []
    )
  }
  return {
    more: () => {
      const found = blocks().filter((block) => !known.has(block))
      for (const block of found) known.add(block)
      return found
    },
    forget: (found) => {
      for (const block of found) known.delete(block)
    },
    count: () => known.size,
    stop: () => session.disconnect()
  }
}
