import * as Context from "effect/Context"

/**
 * The terminal behind stderr, and that behind stdout.
 *
 * @internal
 */
export interface Screen {
  /** Its width now: it follows the window. `undefined`: stderr is no terminal. */
  readonly columns: () => number | undefined
  /** The same of stdout. */
  readonly outputColumns: () => number | undefined
  /** Whether it cannot go back in a line that it has written. */
  readonly isDumb: () => boolean
}

/** What is taken for the width of a terminal that does not know its own. */
const USUAL_COLUMNS = 80

/**
 * The columns that a line may take in a terminal of a width.
 *
 * @internal
 */
export const widthOf = (columns: number | undefined): number => {
  if (columns === undefined) return Infinity
  return columns > 0 ? columns : USUAL_COLUMNS
}

/**
 * Default: the terminal of this process.
 *
 * @internal
 */
export const Screen: Context.Reference<Screen> = Context.Reference<Screen>("effect-multifd/cli/Screen", {
  defaultValue: () => ({
    columns: () => process.stderr.columns,
    outputColumns: () => process.stdout.columns,
    isDumb: () => process.env["TERM"] === "dumb"
  })
})
