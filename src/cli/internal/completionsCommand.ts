import * as Argument from "effect/cli/Argument"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { shells } from "./completions.ts"
import { define } from "./define.ts"
import { Program } from "./program.ts"

const CompletionsJson = Schema.Struct({ shell: Schema.Literals(shells), script: Schema.String })

/**
 * `multifd completions SHELL`
 *
 * @internal
 */
export const completionsCommand = define({
  name: "completions",
  group: "Tools",
  description: "Print a script that completes command lines in a shell",
  examples: [
    { command: "multifd completions bash > ~/.local/share/bash-completion/completions/multifd", description: "Bash" },
    { command: "multifd completions zsh > ~/.zsh/completions/_multifd", description: "Zsh; the folder is in fpath" },
    { command: "multifd completions fish > ~/.config/fish/completions/multifd.fish", description: "Fish" }
  ],
  parameters: {
    shell: Argument.Literals("SHELL", shells).pipe(Argument.withDescription("bash, zsh or fish"))
  },
  result: CompletionsJson,
  toJson: (printed: typeof CompletionsJson.Type) => printed,
  toText: ({ script }) => script,
  run: Effect.fnUntraced(function* ({ shell }) {
    const program = yield* Program
    return { shell, script: program.completions(shell) }
  })
})
