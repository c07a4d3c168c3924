/** A stderr that remembers. */
import * as Effect from "effect/Effect"
import type * as Layer from "effect/Layer"
import * as Sink from "effect/Sink"
import * as Stdio from "effect/Stdio"

export interface Stderr {
  /** Everything that was written so far. */
  readonly text: () => string
  readonly layer: Layer.Layer<Stdio.Stdio>
}

const decoder = new TextDecoder()

export const make = (options: {
  readonly isTerminal: boolean
  /** Told everything that was written so far, as often as something is. */
  readonly onText?: ((text: string) => void) | undefined
}): Stderr => {
  let written = ""
  const stderr = () =>
    Sink.forEach((part: string | Uint8Array) =>
      Effect.sync(() => {
        written += typeof part === "string" ? part : decoder.decode(part)
        options.onText?.(written)
      })
    )
  return {
    text: () => written,
    layer: Stdio.layerTest({ stderr, stderrIsTerminal: Effect.succeed(options.isTerminal) })
  }
}
