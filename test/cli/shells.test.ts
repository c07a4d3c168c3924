/** Completions in the shells themselves. Where a shell is not installed, its test is skipped. */
import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as ChildProcess from "node:child_process"
import * as Fs from "node:fs"
import * as Os from "node:os"
import * as Path from "node:path"
import * as Command from "../support/cli/command.ts"

type Shell = "bash" | "zsh" | "fish"

/** Zsh shows its answers in a terminal only: a line is typed into one, with a tab at its end. */
const typedIntoZsh = (script: string, line: string): string => `
zmodload zsh/zpty
zpty shell zsh -f -i
zpty -w shell "PS1= ; fpath=(${Path.dirname(script)} $fpath); autoload -Uz compinit; compinit -u -D"
zpty -w shell "zstyle ':completion:*' list-prompt ''; LISTMAX=1000; COLUMNS=200; bindkey '^I' list-choices; print ready"
while zpty -r shell answer; do [[ $answer == *ready* && $answer != *print* ]] && break; done
zpty -w -n shell ${JSON.stringify(line)}$'\t'
typeset -i quiet=0
while (( quiet++ < 20 )); do
  sleep 0.05
  zpty -r -t shell answer && { print -r -- $answer; quiet=0 }
done
zpty -d shell
`

/** The words that a shell offers after a line, in any order. */
const commandOf: Readonly<Record<Shell, (script: string, line: string) => string>> = {
  bash: (script, line) => `
source ${script}
COMP_LINE=${JSON.stringify(line)}; COMP_POINT=\${#COMP_LINE}
read -ra COMP_WORDS <<< "$COMP_LINE"; [[ $COMP_LINE == *" " ]] && COMP_WORDS+=("")
COMP_CWORD=$(( \${#COMP_WORDS[@]} - 1 ))
function_of=$(complete -p multifd | sed 's/.*-F \\([^ ]*\\).*/\\1/')
$function_of multifd "\${COMP_WORDS[COMP_CWORD]}" "\${COMP_WORDS[COMP_CWORD-1]}"
printf '%s\\n' "\${COMPREPLY[@]}"`,
  zsh: typedIntoZsh,
  fish: (script, line) => `source ${script}; complete --do-complete ${JSON.stringify(line)}`
}

const isThere = (shell: Shell): boolean => ChildProcess.spawnSync(shell, ["--version"]).error === undefined

describe("completions in the shells", { timeout: 60_000 }, () => {
  let folder = ""
  const scripts: Record<Shell, string> = { bash: "multifd.bash", zsh: "_multifd", fish: "multifd.fish" }

  beforeAll(async () => {
    folder = Fs.mkdtempSync(Path.join(Os.tmpdir(), "multifd-shells-"))
    for (const shell of ["bash", "zsh", "fish"] as const) {
      const { stdout } = await Effect.runPromise(Command.run("completions", shell))
      Fs.writeFileSync(Path.join(folder, scripts[shell]), stdout)
    }
    Fs.writeFileSync(Path.join(folder, "vm.img"), "")
  })
  afterAll(() => Fs.rmSync(folder, { recursive: true, force: true }))

  const offered = (shell: Shell, line: string): string => {
    const args = shell === "zsh" ? ["-f", "-c"] : ["-c"]
    const command = commandOf[shell](Path.join(folder, scripts[shell]), line)
    const { stderr, stdout } = ChildProcess.spawnSync(shell, [...args, command], {
      cwd: folder,
      encoding: "utf8",
      env: { ...process.env, HOME: folder, TERM: "dumb" }
    })
    return stdout + stderr
  }

  for (const shell of ["bash", "zsh", "fish"] as const) {
    it.skipIf(!isThere(shell))(
      `${shell}: commands, flags, choices and files (skipped where it is not installed)`,
      () => {
        assert.match(offered(shell, "multifd ve"), /\bverify\b/)
        assert.match(offered(shell, "multifd save --keep"), /--keep-partial\b/)
        assert.match(offered(shell, "multifd save --se"), /--seal\b/)
        assert.match(offered(shell, "multifd save --seal "), /\bhmac-sha256\b/)
        assert.match(offered(shell, "multifd verify vm"), /\bvm\.img\b/)
        assert.match(offered(shell, "multifd completions "), /\bfish\b/)
      }
    )
  }
})
