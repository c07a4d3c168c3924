/**
 * Packets of pages for the tests of codecs.
 */
import * as Arbitrary from "effect/Arbitrary"
import * as Schema from "effect/Schema"
import { between } from "../arbitraries.ts"

/** What a page holds; equal pages have equal bytes. */
export interface Page {
  readonly kind: "repeated" | "text" | "random"
  readonly seed: number
  /** Lies right behind the page before it in memory. */
  readonly joined: boolean
}

const kind = Arbitrary.schema(Schema.Literals(["repeated", "text", "random"]))

const page: Arbitrary.Arbitrary<Page> = Arbitrary.all({
  kind,
  seed: between(1, 1000),
  joined: Arbitrary.schema(Schema.Boolean)
})

/** Some packets of one channel, some of them without a page. */
export const packets: Arbitrary.Arbitrary<ReadonlyArray<ReadonlyArray<Page>>> = Arbitrary.array(
  Arbitrary.array(page, { maxLength: 8 }),
  { maxLength: 4 }
)

/** Small pages, ordinary ones, and pages larger than the window of an accelerator. */
export const pageSize: Arbitrary.Arbitrary<number> = Arbitrary.schema(Schema.Literals([1024, 4096, 16384]))

/** As many pages, of all kinds. */
export const mixed = (count: number): ReadonlyArray<Page> =>
  Array.from({ length: count }, (_, index) => ({
    kind: (["text", "random", "repeated"] as const)[index % 3]!,
    seed: index + 1,
    joined: index % 5 !== 0
  }))

const fillPage = ({ kind, seed }: Page, target: Uint8Array): void => {
  if (kind === "repeated") return void target.fill(seed)
  let state = seed
  for (let at = 0; at < target.length; at++) {
    state = (Math.imul(state, 1103515245) + 12345) >>> 0
    target[at] = kind === "random" ? state >>> 23 : 97 + ((state >>> 28) % 7)
  }
}

/** The bytes of the pages, one behind the other. */
export const contents = (pages: ReadonlyArray<Page>, pageSize: number): Uint8Array => {
  const bytes = new Uint8Array(pages.length * pageSize)
  pages.forEach((page, index) => fillPage(page, bytes.subarray(index * pageSize, (index + 1) * pageSize)))
  return bytes
}

/** The same bytes as the runs that lie together. */
export const runs = (pages: ReadonlyArray<Page>, pageSize: number): ReadonlyArray<Uint8Array> => {
  const bytes = contents(pages, pageSize)
  const starts = pages.flatMap((page, index) => (index > 0 && page.joined ? [] : [index]))
  return starts.map((start, run) => bytes.subarray(start * pageSize, (starts[run + 1] ?? pages.length) * pageSize))
}
