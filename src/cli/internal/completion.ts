import * as Context from "effect/Context"

/**
 * Called if a command has completed although it was interrupted: the interruption came too late, and the exit code is
 * that of success. Default: no call.
 *
 * @internal
 */
export const Completion: Context.Reference<() => void> = Context.Reference<() => void>(
  "effect-multifd/cli/Completion",
  {
    defaultValue: () => () => undefined
  }
)
