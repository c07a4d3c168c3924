/** Colours of a terminal: red for failures, yellow for warnings, green for a good verdict. */
import * as Context from "effect/Context"

type Color = (text: string) => string

/** @internal */
export interface Paint {
  readonly good: Color
  readonly bad: Color
  readonly warning: Color
  readonly title: Color
  readonly term: Color
  readonly faint: Color
}

const colored =
  (code: number): Color =>
  (text) =>
    `\u001b[${code}m${text}\u001b[0m`

const same: Color = (text) => text

/** @internal */
export const none: Paint = { good: same, bad: same, warning: same, title: same, term: same, faint: same }

const all: Paint = {
  good: colored(32),
  bad: colored(31),
  warning: colored(33),
  title: colored(1),
  term: colored(36),
  faint: colored(2)
}

/** @internal */
export const make = (isColored: boolean): Paint => (isColored ? all : none)

/** The environment variables for colours. */
type Environment = Readonly<Record<string, string | undefined>>

const isOn = (value: string | undefined): boolean =>
  value !== undefined && value !== "" && value !== "0" && value.toLowerCase() !== "false"

/**
 * `true` if a stream gets colours. `NO_COLOR` overrides `FORCE_COLOR`, which overrides the kind of stream; a `dumb`
 * terminal gets none.
 *
 * @internal
 */
export const isColored = (isTerminal: boolean, { FORCE_COLOR, NO_COLOR, TERM }: Environment): boolean => {
  if (NO_COLOR !== undefined && NO_COLOR !== "") return false
  return isOn(FORCE_COLOR) || (isTerminal && TERM !== "dumb")
}

/**
 * The colours of both streams. Default: those that this process's streams support.
 *
 * @internal
 */
export const Paints: Context.Reference<{ readonly stdout: Paint; readonly stderr: Paint }> = Context.Reference<{
  readonly stdout: Paint
  readonly stderr: Paint
}>("effect-multifd/cli/Paints", {
  defaultValue: () => ({
    stdout: make(isColored(process.stdout.isTTY, process.env)),
    stderr: make(isColored(process.stderr.isTTY, process.env))
  })
})
