/** A reporter of Stryker's that says at once what no test has noticed, and what ran out of time: a run takes long. */
interface Result {
  readonly status: string
  readonly fileName: string
  readonly mutatorName: string
  readonly replacement: string
  readonly location: { readonly start: { readonly line: number; readonly column: number } }
}

const told = new Set(["Survived", "NoCoverage", "Timeout", "RuntimeError"])

class Survivors {
  onMutantTested({ fileName, location, mutatorName, replacement, status }: Result): void {
    if (!told.has(status)) return
    const { column, line } = location.start
    const text = replacement.replaceAll(/\s+/g, " ").slice(0, 60)
    console.log(`${status} ${fileName}:${line}:${column} ${mutatorName}: ${text}`)
  }
}

/** What Stryker looks for in a plugin. */
export const strykerPlugins = [{ kind: "Reporter", name: "survivors", injectableClass: Survivors }]
