import * as CliError from "effect/cli/CliError"
import * as Flag from "effect/cli/Flag"
import * as Config from "effect/Config"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Result from "effect/Result"

/**
 * Environment variables that stand for flags, with their flags and meanings: help and documentation list this table.
 *
 * @internal
 */
export const variables = {
  MULTIFD_CHANNELS: { flag: "channels", meaning: "Number of channels" },
  MULTIFD_COMPRESSION: { flag: "compression", meaning: "Compression on the channels" },
  MULTIFD_KEY_FILE: { flag: "key-file", meaning: "The file with the secret of seals" },
  MULTIFD_MAX_BANDWIDTH: { flag: "max-bandwidth", meaning: "Bytes a second over all channels, such as 128M" },
  MULTIFD_PROGRESS: { flag: "progress", meaning: "auto, line or json" },
  MULTIFD_SEAL: { flag: "seal", meaning: "The checksums of images: crc32, sha256, hmac-sha256 or none" },
  MULTIFD_TIMEOUT: { flag: "timeout", meaning: "Longest silence of the peer in seconds" }
} as const

/** @internal */
export type Variable = keyof typeof variables

/** Reads a value from its text; a failure says what to use instead. */
type Parse<A> = (text: string) => Result.Result<A, string>

/** @internal */
export const number =
  (is: (value: number) => boolean, expected: string): Parse<number> =>
  (text) => {
    const value = Number(text)
    return text.trim() !== "" && is(value) ? Result.succeed(value) : Result.fail(expected)
  }

/** @internal */
export const count = (minimum: number, maximum: number): Parse<number> =>
  number(
    (value) => Number.isInteger(value) && value >= minimum && value <= maximum,
    `a whole number from ${minimum} to ${maximum}`
  )

/** @internal */
export const oneOf =
  <const A extends string>(names: ReadonlyArray<A>): Parse<A> =>
  (text) => {
    const found = names.find((name) => name === text)
    return found === undefined ? Result.fail(`one of ${names.join(", ")}`) : Result.succeed(found)
  }

/**
 * A flag whose default is an environment variable, or `initial` if that is unset or empty. Fails with a usage error
 * that names the variable.
 *
 * @internal
 */
export const withDefault =
  <A>(variable: Variable, parse: Parse<NoInfer<A>>, initial: NoInfer<A>) =>
  (self: Flag.Flag<A>): Flag.Flag<A> =>
    Flag.withDefault(
      self,
      Effect.map(read(variable, parse), (value) => Option.getOrElse(value, () => initial))
    )

/**
 * The same for a flag that may be left out.
 *
 * @internal
 */
export const optional =
  <A>(variable: Variable, parse: Parse<NoInfer<A>>) =>
  (self: Flag.Flag<A>): Flag.Flag<Option.Option<A>> =>
    Flag.withDefault(Flag.map(self, Option.some), read(variable, parse))

const read = Effect.fnUntraced(function* <A>(
  variable: Variable,
  parse: Parse<A>
): Effect.fn.Return<Option.Option<A>, CliError.CliError> {
  const text = yield* Effect.orDie(Config.option(Config.String(variable)))
  if (Option.isNone(text) || text.value === "") return Option.none()
  const value = parse(text.value)
  if (Result.isSuccess(value)) return Option.some(value.success)
  const message = `${variable} is ${JSON.stringify(text.value)}; use ${value.failure}`
  return yield* Effect.fail(new CliError.ValidationError({ message }))
})

/**
 * The description of a flag, with its variable.
 *
 * @internal
 */
export const described = (variable: Variable, description: string): string => `${description} [${variable}]`
