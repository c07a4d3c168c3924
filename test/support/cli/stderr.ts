/** A stderr, and a stdout, that remember. */
import * as Effect from "effect/Effect"
import type * as Layer from "effect/Layer"
import { systemError } from "effect/PlatformError"
import * as Sink from "effect/Sink"
import * as Stdio from "effect/Stdio"

export interface Stderr {
  /** Everything that was written so far. */
  readonly text: () => string
  /** The same of stdout. */
  readonly stdout: () => string
  readonly layer: Layer.Layer<Stdio.Stdio>
}

const decoder = new TextDecoder()

export const make = (options: {
  readonly isTerminal: boolean
  /** Told everything that was written so far, as often as something is. */
  readonly onText?: ((text: string) => void) | undefined
  /** What every write to stdout fails with. */
  readonly stdoutFailure?: Error | undefined
}): Stderr => {
  let written = ""
  const stderr = () =>
    Sink.forEach((part: string | Uint8Array) =>
      Effect.sync(() => {
        written += typeof part === "string" ? part : decoder.decode(part)
        options.onText?.(written)
      })
    )
  let printed = ""
  const { stdoutFailure: cause } = options
  const stdout = () =>
    Sink.forEach((part: string | Uint8Array) =>
      cause === undefined
        ? Effect.sync(() => void (printed += typeof part === "string" ? part : decoder.decode(part)))
        : Effect.fail(systemError({ module: "Stdio", method: "stdout", _tag: "Unknown", cause }))
    )
  return {
    text: () => written,
    stdout: () => printed,
    layer: Stdio.layerTest({ stderr, stdout, stderrIsTerminal: Effect.succeed(options.isTerminal) })
  }
}
