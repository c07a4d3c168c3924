import type * as CliError from "effect/cli/CliError"
import type * as Command from "effect/cli/Command"
import type * as Completions from "effect/cli/Completions"
import type * as HelpDoc from "effect/cli/HelpDoc"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"

/**
 * The whole program, as those of its commands see it that tell about the others.
 *
 * @internal
 */
export interface Program {
  readonly names: ReadonlyArray<string>
  /** The help of a command; without a name, that of the program. */
  readonly helpOf: (name?: string) => Effect.Effect<HelpDoc.HelpDoc, CliError.CliError, Command.Environment>
  readonly completions: (shell: Completions.Shell) => string
}

/** @internal */
export const Program: Context.Reference<Program> = Context.Reference<Program>("effect-multifd/cli/Program", {
  defaultValue: () => ({ names: [], helpOf: () => Effect.die("no program"), completions: () => "" })
})
