/**
 * A checker of Stryker's that lets a sample of the mutants through, the same one for each seed: which mutants are in it depends
 * on where they are and what they are, so it stays the same as tests are added.
 */
import { createHash } from "node:crypto"

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

const { MUTATION_SEED = "1", MUTATION_SHARE = "0.12" } = process.env

/** A number from 0 to 1, evenly spread. */
const drawn = ({ fileName, location, replacement }: Mutant): number => {
  const file = fileName.slice(fileName.lastIndexOf("/src/") + 1)
  const { end, start } = location
  const place = `${start.line}:${start.column}-${end.line}:${end.column}`
  const hash = createHash("sha256").update(`${MUTATION_SEED} ${file} ${place} ${replacement}`).digest()
  return hash.readUInt32BE() / 2 ** 32
}

class Sample {
  async init(): Promise<void> {}

  async check(mutants: ReadonlyArray<Mutant>): Promise<Record<string, Verdict>> {
    return Object.fromEntries(
      mutants.map((mutant): [string, Verdict] => [
        mutant.id,
        drawn(mutant) < Number(MUTATION_SHARE)
          ? { status: "passed" }
          : { status: "compileError", reason: "not in the sample" }
      ])
    )
  }
}

/** What Stryker looks for in a plugin. */
export const strykerPlugins = [{ kind: "Checker", name: "sample", injectableClass: Sample }]
