import type { PageRuns } from "../../ram/PageRuns.ts"

/**
 * Cuts runs at ascending page numbers, in one pass over all of them.
 *
 * @internal
 */
export class RunCutter {
  readonly #runs: PageRuns
  #at = 0

  constructor(runs: PageRuns) {
    this.#runs = runs
  }

  /** The pages in `[from, to)`, relative to `from`, which must not be smaller than any earlier `to`. */
  within(from: number, to: number): PageRuns {
    const cut: Array<number> = []
    for (; this.#at < this.#runs.length; this.#at += 2) {
      const first = this.#runs[this.#at] ?? 0
      const end = first + (this.#runs[this.#at + 1] ?? 0)
      const start = Math.max(first, from)
      if (start < Math.min(end, to)) cut.push(start - from, Math.min(end, to) - start)
      if (end > to) break
    }
    return cut
  }
}
