import { Buffer } from "node:buffer"
import * as Argument from "effect/cli/Argument"
import * as Flag from "effect/cli/Flag"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import * as Image from "../../image/Image.ts"
import * as Search from "../../look/Search.ts"
import * as SnapshotSource from "../../snapshot/SnapshotSource.ts"
import { define } from "./define.ts"
import * as HexDump from "./hexDump.ts"
import { Count, describe } from "./jsonFields.ts"
import * as Parameters from "./parameters.ts"
import { whenInterrupted } from "./report.ts"
import * as SealParameters from "./sealParameters.ts"
import * as Text from "./text.ts"
import { refusal } from "./usage.ts"

const Context = Schema.Struct({
  offset: Count.annotate(describe("Bytes from the start of the block")),
  hex: Schema.String.annotate(describe("The bytes around the match, in hexadecimal digits"))
})

const MatchJson = Schema.Struct({
  block: Schema.String.annotate(describe("QEMU's name of the block")),
  offset: Count.annotate(describe("Bytes from the start of the block")),
  context: Schema.optionalKey(Context)
})

const SearchJson = Schema.Struct({
  path: Schema.String,
  matches: Schema.Array(MatchJson),
  complete: Schema.Boolean.annotate(describe("false: there are more matches than --limit"))
})

interface Found {
  readonly block: string
  readonly offset: number
  readonly context: { readonly offset: number; readonly bytes: Uint8Array } | undefined
}

interface Value {
  readonly path: string
  readonly matches: ReadonlyArray<Found>
  readonly complete: boolean
}

const toJson = ({ complete, matches, path }: Value): typeof SearchJson.Type => ({
  path,
  matches: matches.map(({ block, context, offset }) => ({
    block,
    offset,
    ...(context === undefined ? {} : { context: { offset: context.offset, hex: HexDump.digits(context.bytes) } })
  })),
  complete
})

const linesOf = ({ block, context, offset }: Found): ReadonlyArray<string> => [
  `${Text.printable(block)} 0x${offset.toString(16)}`,
  ...(context === undefined ? [] : HexDump.rows(context.bytes, context.offset).map((row) => `  ${row}`))
]

const sumOf = ({ complete, matches: { length } }: Value): string => {
  if (length === 0) return "no match"
  const count = `${length} ${length === 1 ? "match" : "matches"}`
  return complete ? count : `${count}, and more: --limit shows them`
}

const toText = (value: Value): string => [...value.matches.flatMap(linesOf), sumOf(value)].join("\n")

const parseHex = (text: string): Result.Result<Uint8Array, { readonly message: string }> => {
  const digits = text.replaceAll(/[\s:]|^0x/g, "")
  return /^(?:[0-9a-f]{2})+$/i.test(digits)
    ? Result.succeed(Buffer.from(digits, "hex"))
    : Result.fail({
        message: `${JSON.stringify(text)} are no bytes; use pairs of hexadecimal digits, such as "7f 45 4c 46"`
      })
}

const patternOf = (text: Option.Option<string>, hex: Option.Option<Uint8Array>) => {
  const patterns = [...Option.toArray(text), ...Option.toArray(hex)]
  const [pattern, ...others] = patterns
  return pattern === undefined || others.length > 0
    ? refusal("search", ["search for either TEXT or --hex BYTES"])
    : Effect.succeed(pattern)
}

const MAX_CONTEXT = 4096
const MAX_MATCHES = 100_000

const upTo = (name: string, minimum: number, maximum: number) =>
  Flag.filter(
    (count: number) => count >= minimum && count <= maximum,
    () => `use ${minimum} to ${maximum}`
  )(Flag.Int(name))

const contextOf = Effect.fnUntraced(function* (
  image: Image.Image,
  match: Search.Match,
  around: number,
  length: number
) {
  const { usedLength } = yield* SnapshotSource.findBlock(image, match.block)
  const offset = Math.max(0, match.offset - around)
  const end = Math.min(usedLength, match.offset + length + around)
  return { offset, bytes: yield* image.readPages(match.block, offset, end - offset) }
})

/**
 * `multifd search IMAGE TEXT`
 *
 * @internal
 */
export const searchCommand = define({
  name: "search",
  group: "Tools",
  description: "Find text or bytes in the memory of an image, and print the block and offset of each match",
  examples: [
    { command: "multifd search vm.img vmlinuz --context 64", description: "With the bytes around each match" },
    { command: "multifd search vm.img --hex 7f454c46 --json", description: "Bytes, as a JSON document" }
  ],
  parameters: {
    image: Parameters.image("IMAGE", "The image to search"),
    text: Argument.String("TEXT").pipe(
      Argument.withDescription("The text to find, as UTF-8; case matters"),
      Argument.optional
    ),
    hex: Flag.String("hex").pipe(
      Flag.withMetavar("BYTES"),
      Flag.mapEffect(Parameters.parsed("--hex", parseHex)),
      Flag.withDescription("Find these bytes instead, in hexadecimal digits"),
      Flag.optional
    ),
    context: upTo("context", 0, MAX_CONTEXT).pipe(
      Flag.withDescription(`Also print this number of bytes before and after each match, at most ${MAX_CONTEXT}`),
      Flag.withDefault(0)
    ),
    limit: upTo("limit", 1, MAX_MATCHES).pipe(
      Flag.withDescription(`Stop after this number of matches, at most ${MAX_MATCHES} (default 1000)`),
      Flag.withDefault(1000)
    ),
    ...SealParameters.verification
  },
  result: SearchJson,
  toJson,
  toText,
  run: Effect.fnUntraced(
    function* (options) {
      const pattern = yield* patternOf(options.text, options.hex)
      const { length } = Buffer.from(pattern)
      const image = yield* Image.open(options.image, yield* SealParameters.readVerification(options))
      const found = yield* Search.run(image, pattern).pipe(Stream.take(options.limit + 1), Stream.runCollect)
      const matches = yield* Effect.forEach(found.slice(0, options.limit), (match) =>
        Effect.map(
          options.context === 0 ? Effect.undefined : contextOf(image, match, options.context, length),
          (context): Found => ({ ...match, context })
        )
      )
      return { path: image.path, matches, complete: found.length <= options.limit }
    },
    Effect.scoped,
    whenInterrupted("nothing was written")
  )
})
