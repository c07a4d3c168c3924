import * as Flag from "effect/cli/Flag"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as Image from "../../image/Image.ts"
import * as Diff from "../../look/Diff.ts"
import { define } from "./define.ts"
import type { Failure } from "./failure.ts"
import { Count, describe } from "./jsonFields.ts"
import type { Paint } from "./paint.ts"
import * as Parameters from "./parameters.ts"
import { whenInterrupted } from "./report.ts"
import * as SealParameters from "./sealParameters.ts"
import * as Text from "./text.ts"

const RunJson = Schema.Struct({
  page: Count.annotate(describe("The first page of the run")),
  count: Count.annotate(describe("Pages"))
})

const BlockJson = Schema.Struct({
  idstr: Schema.String.annotate(describe("QEMU's name of the block")),
  pageSize: Count.annotate(describe("Bytes")),
  pages: Count.annotate(describe("All pages of the block, of the longer one if they differ")),
  changedPages: Count.annotate(describe("Pages that differ")),
  runs: Schema.Array(RunJson).annotate(describe("The pages that differ"))
})

const DiffJson = Schema.Struct({
  equal: Schema.Boolean,
  changedPages: Count.annotate(describe("Pages that differ, in all blocks that both have")),
  blocks: Schema.Array(BlockJson).annotate(describe("The blocks that both have")),
  onlyA: Schema.Array(Schema.String).annotate(describe("Blocks that only the first image has")),
  onlyB: Schema.Array(Schema.String).annotate(describe("Blocks that only the second image has"))
})

interface Value {
  readonly diff: Diff.Diff
  readonly withPages: boolean
}

const runsOf = ({ changed }: Diff.Block): typeof BlockJson.Type.runs => {
  const runs = changed.runs(0, changed.pages)
  return Array.from({ length: runs.length / 2 }, (_, i) => ({ page: runs[2 * i] ?? 0, count: runs[2 * i + 1] ?? 0 }))
}

const toJson = ({ diff }: Value): typeof DiffJson.Type => ({
  equal: Diff.isEqual(diff),
  changedPages: diff.changedPages,
  blocks: diff.blocks.map((block) => ({
    idstr: block.idstr,
    pageSize: block.pageSize,
    pages: block.changed.pages,
    changedPages: block.changedPages,
    runs: runsOf(block)
  })),
  onlyA: diff.onlyA,
  onlyB: diff.onlyB
})

const rowOf = ({ changed, changedPages, idstr }: Diff.Block): ReadonlyArray<string> => [
  Text.printable(idstr),
  String(changedPages),
  String(changed.pages),
  `${((100 * changedPages) / Math.max(1, changed.pages)).toFixed(1)} %`
]

const pageLines = (block: Diff.Block): ReadonlyArray<string> =>
  runsOf(block).map(
    ({ count, page }) =>
      `${Text.printable(block.idstr)} 0x${(page * block.pageSize).toString(16)}: ${Text.counted(count, "page")}`
  )

const verdictOf = (diff: Diff.Diff, paint: Paint): string =>
  Diff.isEqual(diff)
    ? `${paint.good("equal")}: both have the same memory`
    : `${paint.bad("different")}: ${reasonOf(diff)}`

const reasonOf = ({ blocks, changedPages, onlyA, onlyB }: Diff.Diff): string => {
  const only = onlyA.length + onlyB.length
  const lengths = blocks.filter(({ lengthA, lengthB }) => lengthA !== lengthB).length
  return [
    `${Text.counted(changedPages, "page")} changed`,
    ...(only === 0 ? [] : [`${Text.counted(only, "block")} in one image only`]),
    ...(lengths === 0 ? [] : [`${Text.counted(lengths, "block")} of another length`])
  ].join(", ")
}

const toText = ({ diff, withPages }: Value, paint: Paint): string =>
  [
    ...(diff.blocks.length === 0
      ? []
      : [Text.table([["block", "changed", "pages", "share"], ...diff.blocks.map(rowOf)], [1, 2, 3])]),
    ...(withPages ? diff.blocks.flatMap(pageLines) : []),
    ...diff.onlyA.map((idstr) => `only in the first: ${Text.printable(idstr)}`),
    ...diff.onlyB.map((idstr) => `only in the second: ${Text.printable(idstr)}`),
    verdictOf(diff, paint)
  ].join("\n")

const EXIT_DIFFERENT = 11

const toFailure = ({ diff }: Value): Failure | undefined =>
  Diff.isEqual(diff)
    ? undefined
    : { tag: "MemoryDiffers", message: `the images differ: ${reasonOf(diff)}`, exitCode: EXIT_DIFFERENT }

/**
 * `multifd diff A B`
 *
 * @internal
 */
export const diffCommand = define({
  name: "diff",
  group: "Tools",
  description: "Compare the memory of two images, page by page; exit code 0 if it is equal, 11 if it differs",
  examples: [{ command: "multifd diff monday.img tuesday.img --pages", description: "With the places of all changes" }],
  parameters: {
    a: Parameters.image("A", "The first image"),
    b: Parameters.image("B", "The second image"),
    pages: Flag.Boolean("pages").pipe(
      Flag.withoutNegation,
      Flag.withDescription("Also list the places of the pages that differ; --json always has them"),
      Flag.withDefault(false)
    ),
    channels: Parameters.transfer.channels,
    ...SealParameters.verification
  },
  result: DiffJson,
  toJson,
  toText,
  // The result has said it already.
  toFailure,
  run: Effect.fnUntraced(
    function* ({ a, b, channels, pages: withPages, ...options }) {
      const verification = yield* SealParameters.readVerification(options)
      const [first, second] = [yield* Image.open(a, verification), yield* Image.open(b, verification)]
      return { diff: yield* Diff.run(first, second, { channels }), withPages }
    },
    Effect.scoped,
    whenInterrupted("nothing was written, and nothing is known yet")
  )
})
