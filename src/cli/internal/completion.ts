import * as Context from "effect/Context"

/**
 * Told that a command has done what it was asked for although it was interrupted: the interruption came too late, and the exit code
 * is that of success. Default: it is not told.
 *
 * @internal
 */
export const Completion: Context.Reference<() => void> = Context.Reference<() => void>(
  "effect-multifd/cli/Completion",
  {
    defaultValue: () => () => undefined
  }
)
