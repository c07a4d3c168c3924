import * as Context from "effect/Context"

/**
 * The terminals of stderr and stdout.
 *
 * @internal
 */
export interface Screen {
  /** Its current width, which follows the window. `undefined`: stderr is not a terminal. */
  readonly columns: () => number | undefined
  /** The same for stdout. */
  readonly outputColumns: () => number | undefined
  /** `true` if it cannot overwrite a line. */
  readonly isDumb: () => boolean
}

/** The assumed width of a terminal that does not know its own. */
const USUAL_COLUMNS = 80

/**
 * The usable columns of a line on a terminal of this width.
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
