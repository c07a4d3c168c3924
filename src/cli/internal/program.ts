import type * as CliError from "effect/cli/CliError"
import type * as Command from "effect/cli/Command"
import type * as Completions from "effect/cli/Completions"
import type * as HelpDoc from "effect/cli/HelpDoc"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"

/**
 * The whole program, for commands that describe the others.
 *
 * @internal
 */
export interface Program {
  readonly names: ReadonlyArray<string>
  /** The help of a command, or of the program if there is no name. */
  readonly helpOf: (name?: string) => Effect.Effect<HelpDoc.HelpDoc, CliError.CliError, Command.Environment>
  readonly completions: (shell: Completions.Shell) => string
}

/** @internal */
export const Program: Context.Reference<Program> = Context.Reference<Program>("effect-multifd/cli/Program", {
  defaultValue: () => ({ names: [], helpOf: () => Effect.die("no program"), completions: () => "" })
})
