import * as Command from "effect/cli/Command"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import type * as Schema from "effect/Schema"
import * as Answer from "./answer.ts"
import type { Failure } from "./failure.ts"
import { type Paint, Paints } from "./paint.ts"
import { reportedAs } from "./reportedError.ts"
import { Screen, widthOf } from "./screen.ts"

/**
 * The groups of the help, in its order.
 *
 * @internal
 */
export const groups = ["Machines", "Images", "Store", "Tools"] as const

/** @internal */
export type Group = (typeof groups)[number]

/**
 * The definition of a command, from which its help, man page, reference, completions, JSON document and schema are
 * made.
 *
 * @internal
 */
export interface Definition<Name extends string, Parameters extends Command.Command.Config, Value, Result, E, R> {
  readonly name: Name
  readonly group: Group
  /** One sentence without a full stop, in the imperative. */
  readonly description: string
  readonly examples: ReadonlyArray<Command.Command.Example>
  readonly parameters: Parameters
  /** The fields that `--json` prints in addition to `version` and `command`. */
  readonly result: Schema.Codec<Result>
  readonly run: (options: Command.Command.Config.Infer<Parameters>) => Effect.Effect<Value, E, R>
  readonly toJson: (value: Value) => Result
  /** The result as text. Absent: everything has been printed on stderr. */
  readonly toText?: ((value: Value, paint: Paint, columns: number) => string) | undefined
  /** The failure for a result, which already describes it as text. */
  readonly toFailure?: ((value: Value) => Failure | undefined) | undefined
}

/**
 * A command with its place in the help and the schema of its result.
 *
 * @internal
 */
export interface Defined<C extends Command.Command.Any = Command.Command.Any> {
  readonly name: string
  readonly group: Group
  readonly result: Schema.Top
  /** Parses the same command lines without any effect. */
  readonly inert: Command.Command.Any
  readonly command: C
}

/**
 * Makes a command from its definition. `commands.ts` lists it.
 *
 * @internal
 */
export const define = <
  const Name extends string,
  Parameters extends Command.Command.Config,
  Value,
  Result extends object,
  E,
  R
>(
  definition: Definition<Name, Parameters, Value, Result, E, R>
) => {
  const { description, examples, group, name, parameters, result, run, toFailure, toJson, toText } = definition
  const textOf = Effect.fnUntraced(function* (value: Value) {
    const { stdout } = yield* Paints
    const columns = widthOf((yield* Screen).outputColumns())
    return toText?.(value, stdout, columns) ?? ""
  })
  const handler = Effect.fnUntraced(function* (options: Command.Command.Config.Infer<Parameters>) {
    yield* Answer.update({ command: name })
    const value = yield* run(options)
    yield* Answer.update({ result: toJson(value) })
    const { asJson } = yield* Answer.Answer
    if (!asJson && toText !== undefined) yield* Console.log(yield* textOf(value))
    const failure = toFailure?.(value)
    if (failure !== undefined) return yield* reportedAs(failure)
  })
  const command = Command.make(name, parameters, handler).pipe(
    Command.withDescription(description),
    Command.withExamples(examples)
  )
  const inert = Command.make(name, parameters, () => Effect.void).pipe(
    Command.withDescription(description),
    Command.withExamples(examples)
  )
  return { name, group, result, inert, command }
}
