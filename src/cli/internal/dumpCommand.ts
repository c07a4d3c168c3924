import { Buffer } from "node:buffer"
import * as Argument from "effect/cli/Argument"
import * as Flag from "effect/cli/Flag"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import * as Image from "../../image/Image.ts"
import * as Dump from "../../look/Dump.ts"
import * as SnapshotSource from "../../snapshot/SnapshotSource.ts"
import * as Answer from "./answer.ts"
import { define } from "./define.ts"
import * as HexDump from "./hexDump.ts"
import { Count, describe } from "./jsonFields.ts"
import * as Output from "./output.ts"
import * as Parameters from "./parameters.ts"
import * as RangeParameters from "./rangeParameters.ts"
import { whenInterrupted } from "./report.ts"
import { Screen } from "./screen.ts"
import * as SealParameters from "./sealParameters.ts"
import { refusal } from "./usage.ts"

const DumpJson = Schema.Struct({
  path: Schema.String,
  block: Schema.String.annotate(describe("QEMU's name of the block")),
  offset: Count.annotate(describe("Bytes from the start of the block")),
  length: Count.annotate(describe("Bytes")),
  hex: Schema.String.annotate(describe("The bytes, in hexadecimal digits"))
})

type Value = Omit<typeof DumpJson.Type, "hex"> & { readonly bytes: Uint8Array }

const DEFAULT_BYTES = 256

/** A JSON document is in memory as a whole. */
const MAX_JSON_BYTES = 1024 * 1024

const invalid = (message: string) => refusal("dump", [message])

/** Fails if the bytes would reach a terminal or a JSON document that cannot hold them. */
const check = Effect.fnUntraced(function* (format: "hex" | "raw", length: number) {
  const { asJson } = yield* Answer.Answer
  if (asJson && format === "raw")
    return yield* invalid("--as raw: --json prints hexadecimal digits; leave out one of both")
  if (asJson && length > MAX_JSON_BYTES) {
    return yield* invalid(`--length: ${length} bytes do not fit a JSON document; use at most ${MAX_JSON_BYTES}`)
  }
  if (format === "raw" && (yield* Screen).outputColumns() !== undefined) {
    return yield* invalid("--as raw: guest memory can control a terminal; redirect the output to a file or a program")
  }
  return asJson
})

/** Rows of 16 bytes, wherever the pieces end. */
const rowsOf = <E>(pieces: Stream.Stream<Uint8Array, E>, from: number) =>
  pieces.pipe(
    Stream.mapAccum(
      () => ({ offset: from, rest: Buffer.alloc(0) }),
      ({ offset, rest }, piece) => {
        const bytes = Buffer.concat([rest, piece])
        const whole = bytes.length - (bytes.length % 16)
        const text = HexDump.rows(bytes.subarray(0, whole), offset)
          .map((row) => `${row}\n`)
          .join("")
        return [{ offset: offset + whole, rest: bytes.subarray(whole) }, [text]] as const
      },
      { onHalt: ({ offset, rest }) => HexDump.rows(rest, offset).map((row) => `${row}\n`) }
    )
  )

/**
 * `multifd dump IMAGE BLOCK`
 *
 * @internal
 */
export const dumpCommand = define({
  name: "dump",
  group: "Tools",
  description: "Print a range of a RAM block of an image, in hexadecimal or as it is",
  examples: [
    { command: "multifd dump vm.img pc.ram --at 0x1000 --length 512", description: "In hexadecimal" },
    { command: "multifd dump vm.img pc.ram --length 16M --as raw > ram", description: "Into a file" }
  ],
  parameters: {
    image: Parameters.image("IMAGE", "The image to read"),
    block: Argument.String("BLOCK").pipe(Argument.withDescription("The name of the block; multifd info lists them")),
    at: RangeParameters.bytes("at", "Start at this offset of the block (default 0)").pipe(Flag.withDefault(0)),
    length: RangeParameters.bytes("length", `Print this number of bytes (default ${DEFAULT_BYTES})`).pipe(
      Flag.withDefault(DEFAULT_BYTES)
    ),
    as: Flag.Literals("as", ["hex", "raw"] as const).pipe(
      Flag.withDescription(
        "Rows of hexadecimal digits and printable characters, or the bytes themselves (not to a terminal)"
      ),
      Flag.withDefault("hex" as const)
    ),
    ...SealParameters.verification
  },
  result: DumpJson,
  toJson: ({ bytes, ...facts }: Value): typeof DumpJson.Type => ({ ...facts, hex: HexDump.digits(bytes) }),
  run: Effect.fnUntraced(
    function* ({ as, at: offset, block, length, ...options }) {
      const asJson = yield* check(as, length)
      const image = yield* Image.open(options.image, yield* SealParameters.readVerification(options))
      const facts = { path: image.path, block, offset, length }
      yield* SnapshotSource.findBlock(image, block, { offset, length })
      if (asJson) return { ...facts, bytes: yield* image.readPages(block, offset, length) }
      const pieces = Dump.run(image, { block, offset, length })
      yield* Output.writeAll(as === "raw" ? pieces : rowsOf(pieces, offset))
      return { ...facts, bytes: new Uint8Array(0) }
    },
    Effect.scoped,
    whenInterrupted("the output is not complete")
  )
})
