/** Everything that a program could have logged, traced or printed, and whether a guest's memory is among it. */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as References from "effect/References"
import * as Tracer from "effect/Tracer"
import * as Util from "node:util"

/** Numbers of up to eight bytes are shown where a number is wrong; more bytes in a row than that are none of anybody's business. */
const SHOWN = 8

/** What a text in the memory looks like when it gets out: as it is, as hexadecimal digits, in base 64, or as a list of numbers. */
const formsOf = (secret: string): ReadonlyArray<string> => {
  const twice = Buffer.from(secret + secret)
  return Array.from({ length: secret.length }, (_, at) => twice.subarray(at, at + SHOWN + 1)).flatMap((piece) => [
    piece.toString("latin1"),
    piece.toString("hex"),
    piece.toString("hex").replaceAll(/..(?!$)/g, "$& "),
    ...[0, 1, 2].map((skip) => piece.subarray(skip, skip + 6).toString("base64")),
    [...piece].join(" ")
  ])
}

/** A list of numbers in whichever form, one space between two of them, indices left out. */
const asNumbers = (text: string): string => text.replaceAll(/"?\d+"?:\s*(?=\d)/g, "").replaceAll(/[\s,;[\]{}]+/g, " ")

/** What gives a piece of the secret away, with what stands around it. */
export const leakIn = (text: string, secret: string): string | undefined => {
  const forms = formsOf(secret)
  for (const each of [text, text.toLowerCase(), asNumbers(text)]) {
    const at = forms.map((form) => each.indexOf(form)).find((index) => index >= 0)
    if (at !== undefined) return each.slice(Math.max(0, at - 200), at + 200)
  }
  return undefined
}

const shown = (value: unknown): string => Util.inspect(value, { depth: 12, maxArrayLength: 400, maxStringLength: null })

export interface Eavesdropper {
  /** What was heard so far. */
  readonly text: () => string
  /** Runs something and listens to its logs, spans and failure. */
  readonly listen: <A, E, R>(self: Effect.Effect<A, E, R>) => Effect.Effect<Exit.Exit<A, E>, never, R>
}

/** One of its own for each test. */
export const make = (): Eavesdropper => {
  const heard: Array<string> = []
  const failures = new Set<unknown>()
  const hearFailure = (exit: Exit.Exit<unknown, unknown>): void => {
    if (Exit.isSuccess(exit)) return
    for (const reason of exit.cause.reasons) {
      if (Cause.isFailReason(reason)) failures.add(reason.error)
      if (Cause.isDieReason(reason)) failures.add(reason.defect)
    }
  }
  const logger = Logger.make(({ cause, message }) => void heard.push(shown(message), shown(cause)))
  const tracer = Tracer.make({
    span: (options) => {
      const span = new Tracer.NativeSpan(options)
      const end = span.end.bind(span)
      span.end = (time, exit) => {
        end(time, exit)
        hearFailure(exit)
        heard.push(span.name, shown(span.attributes), shown(span.events))
      }
      return span
    }
  })
  const layer = Layer.mergeAll(
    Logger.layer([logger]),
    Layer.succeed(Tracer.Tracer, tracer),
    Layer.succeed(References.MinimumLogLevel, "All")
  )
  return {
    text: () => [...heard, ...[...failures].map(shown)].join("\n"),
    listen: (self) =>
      Effect.exit(self).pipe(
        Effect.tap((exit) => Effect.sync(() => hearFailure(exit))),
        Effect.provide(layer)
      )
  }
}
