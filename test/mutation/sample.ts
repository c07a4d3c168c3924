/**
 * A checker of Stryker's that lets a sample of the mutants through, the same one for each seed: which mutants are in it depends
 * on where they are and what they are, so it stays the same as tests are added.
 */
import { createHash } from "node:crypto"
import { chosen } from "./rooms.ts"

interface Place {
  readonly line: number
  readonly column: number
}

interface Mutant {
  readonly id: string
  readonly fileName: string
  readonly replacement: string
  readonly location: { readonly start: Place; readonly end: Place }
}

type Verdict = { readonly status: "passed" } | { readonly status: "compileError"; readonly reason: string }

const { MUTATION_ONLY, MUTATION_SAMPLE = chosen().sample, MUTATION_SEED = "1" } = process.env

/** How many; `all` is every one, as is a choice by hand. */
const size = MUTATION_ONLY !== undefined || MUTATION_SAMPLE === "all" ? Infinity : Number(MUTATION_SAMPLE)

/** A number from 0 to 1, evenly spread. */
const drawn = ({ fileName, location, replacement }: Mutant): number => {
  const file = fileName.slice(fileName.lastIndexOf("/src/") + 1)
  const { end, start } = location
  const place = `${start.line}:${start.column}-${end.line}:${end.column}`
  const hash = createHash("sha256").update(`${MUTATION_SEED} ${file} ${place} ${replacement}`).digest()
  return hash.readUInt32BE() / 2 ** 32
}

class Sample {
  readonly #sample = new Set<string>()

  async init(): Promise<void> {}

  /** All mutants come here first, at once: those of the sample, and the others. */
  async group(mutants: ReadonlyArray<Mutant>): Promise<ReadonlyArray<ReadonlyArray<string>>> {
    const ids = mutants.toSorted((one, other) => drawn(one) - drawn(other)).map(({ id }) => id)
    const room = Math.max(0, size - this.#sample.size)
    const taken = ids.slice(0, room)
    for (const id of taken) this.#sample.add(id)
    return [taken, ids.slice(taken.length)].filter((group) => group.length > 0)
  }

  async check(mutants: ReadonlyArray<Mutant>): Promise<Record<string, Verdict>> {
    return Object.fromEntries(
      mutants.map(({ id }): [string, Verdict] => [
        id,
        this.#sample.has(id) ? { status: "passed" } : { status: "compileError", reason: "not in the sample" }
      ])
    )
  }
}

/** What Stryker looks for in a plugin. */
export const strykerPlugins = [{ kind: "Checker", name: "sample", injectableClass: Sample }]
