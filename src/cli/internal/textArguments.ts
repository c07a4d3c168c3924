import * as Effect from "effect/Effect"
import * as Runtime from "effect/Runtime"
import * as Schema from "effect/Schema"
import { TaggedError } from "../../ram/TaggedError.ts"
import * as PositionalFile from "../../io/files/PositionalFile.ts"

/**
 * Arguments that are not UTF-8. Node replaces their bytes by U+FFFD: a file of such a name would not be found, or
 * another one would be written. Nothing was touched; the caller must give the file a name in UTF-8. Exit code 2.
 *
 * @internal
 */
export class ArgumentError extends TaggedError<ArgumentError>()("ArgumentError", {
  problems: Schema.NonEmptyArray(Schema.String)
}) {
  override readonly [Runtime.errorExitCode] = 2
  override get message() {
    return `cannot read the arguments: they are not UTF-8 (${this.problems.join(", ")}); give the file a name in UTF-8`
  }
}

const REPLACEMENT = "\ufffd"

/** Linux's default limit for a command line: a quarter of 8 MiB, the size of a stack. */
const MAX_BYTES = 2 * 1024 * 1024

/** The bytes of this process's arguments; `undefined` if the system does not provide them. */
const rawArguments: Effect.Effect<ReadonlyArray<Uint8Array> | undefined> = Effect.gen(function* () {
  const file = yield* PositionalFile.open("/proc/self/cmdline", { access: "read" })
  const bytes = new Uint8Array(MAX_BYTES)
  const all = bytes.subarray(0, yield* file.read(0, bytes))
  const found: Array<Uint8Array> = []
  for (let start = 0, end = all.indexOf(0); end >= 0; start = end + 1, end = all.indexOf(0, start)) {
    found.push(all.subarray(start, end))
  }
  return found
}).pipe(
  Effect.scoped,
  Effect.orElseSucceed(() => undefined)
)

const isText = (bytes: Uint8Array): boolean => {
  try {
    new TextDecoder("utf-8", { fatal: true }).decode(bytes)
    return true
  } catch {
    return false
  }
}

const isPlain = (byte: number): boolean => byte >= 0x20 && byte <= 0x7e && byte !== 0x27 && byte !== 0x5c

const shown = (byte: number): string =>
  isPlain(byte) ? String.fromCharCode(byte) : `\\x${byte.toString(16).padStart(2, "0")}`

/** In the syntax of a shell: `$'vm\xff.img'`. */
const quoted = (bytes: Uint8Array): string => `$'${Array.from(bytes, shown).join("")}'`

const problemsOf = (args: ReadonlyArray<string>, raw: ReadonlyArray<Uint8Array> | undefined): ReadonlyArray<string> => {
  // Before them come the names of Node and of this program, and Node's own flags.
  const bytes = raw === undefined || raw.length < args.length ? undefined : raw.slice(raw.length - args.length)
  return args.flatMap((arg, index) => {
    if (!arg.includes(REPLACEMENT)) return []
    const own = bytes?.[index]
    if (own === undefined || new TextDecoder().decode(own) !== arg) return [`argument ${index + 1}: "${arg}"`]
    return isText(own) ? [] : [`argument ${index + 1}: ${quoted(own)}`]
  })
}

/**
 * Refuses arguments that are not UTF-8. U+FFFD itself is valid if the system's own list of arguments has it.
 *
 * @internal
 */
export const checkArguments = (args: ReadonlyArray<string>): Effect.Effect<void, ArgumentError> =>
  args.some((arg) => arg.includes(REPLACEMENT))
    ? Effect.flatMap(rawArguments, (raw) => {
        const [first, ...rest] = problemsOf(args, raw)
        return first === undefined ? Effect.void : Effect.fail(new ArgumentError({ problems: [first, ...rest] }))
      })
    : Effect.void
