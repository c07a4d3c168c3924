import * as Argument from "effect/cli/Argument"
import * as CliError from "effect/cli/CliError"
import type * as HelpDoc from "effect/cli/HelpDoc"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { define } from "./define.ts"
import { helpText, sectionsText } from "./help.ts"
import { describe } from "./jsonFields.ts"
import { none } from "./paint.ts"
import { Program } from "./program.ts"
import { closest } from "./suggestions.ts"
import { type Topic, topics } from "./topics.ts"
import { refuseWith } from "./usage.ts"

/**
 * The result of `multifd help`, and of `--help`.
 *
 * @internal
 */
export const HelpJson = Schema.Struct({
  topic: Schema.String.annotate(describe("A command or a topic; empty: the program")),
  text: Schema.String
})

const topic = Argument.String("topic").pipe(
  Argument.withMetavar("TOPIC"),
  Argument.withDescription("A command, or one of the topics that multifd help lists"),
  Argument.optional
)

type Page = { readonly name: string } & ({ readonly doc: HelpDoc.HelpDoc } | { readonly topic: Topic })

const toText = (page: Page, paint = none, columns = Infinity): string => {
  const options = { columns, colors: paint !== none }
  return "doc" in page ? helpText(page.doc, options) : sectionsText(page.topic.sections, options)
}

/**
 * `multifd help [TOPIC]`
 *
 * @internal
 */
export const helpCommand = define({
  name: "help",
  group: "Tools",
  description: "Show the help of a command or a topic",
  examples: [
    { command: "multifd help capture", description: "The same as multifd capture --help" },
    { command: "multifd help exit-codes", description: "Meanings of all exit codes" }
  ],
  parameters: { topic },
  result: HelpJson,
  toJson: (page: Page) => ({ topic: page.name, text: toText(page) }),
  toText,
  run: Effect.fnUntraced(function* (options) {
    const program = yield* Program
    const name = Option.getOrElse(options.topic, () => "")
    const found = topics.find((one) => one.name === name)
    if (found !== undefined) return { name, topic: found }
    const known = [...program.names, ...topics.map((one) => one.name)]
    if (name !== "" && !known.includes(name)) {
      const suggestions = closest(name, known)
      return yield* refuseWith("help", [new CliError.UnknownSubcommand({ subcommand: name, suggestions })])
    }
    return { name, doc: yield* program.helpOf(name === "" ? undefined : name) }
  })
})
