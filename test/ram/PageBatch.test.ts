import { assert, describe, it } from "@effect/vitest"
import * as Arbitrary from "effect/Arbitrary"
import * as Effect from "effect/Effect"
import * as PageBatch from "../../src/ram/PageBatch.ts"
import * as PageBitmap from "../../src/ram/PageBitmap.ts"
import type { PageReader } from "../../src/ram/PageReader.ts"
import * as PageRuns from "../../src/ram/PageRuns.ts"
import * as RamArbitraries from "../../src/testing/RamArbitraries.ts"

const PAGE = 1024

/** A block's description and a batch of some of its pages. */
const job = Arbitrary.flatMap(RamArbitraries.block({ pageSize: Arbitrary.Constant(PAGE) }), (block) =>
  Arbitrary.flatMap(RamArbitraries.pageRuns(block.pages), (range) => {
    const first = range[0] ?? 0
    const count = range[1] ?? block.pages
    return Arbitrary.all({
      block: Arbitrary.Constant(block),
      offset: Arbitrary.Constant(first * PAGE),
      length: Arbitrary.Constant(count * PAGE),
      pages: RamArbitraries.pageRuns(count)
    })
  })
)

type Job = typeof job extends Arbitrary.Arbitrary<infer A> ? A : never

type Store = (memory: Uint8Array) => PageReader

const inMemory: Store = (memory) => ({
  present: undefined,
  view: (offset, length) => memory.subarray(offset, offset + length),
  readInto: () => Effect.die("not to be copied")
})

const elsewhere: Store = (memory) => ({
  present: undefined,
  view: undefined,
  readInto: (offset, target) => Effect.sync(() => target.set(memory.subarray(offset, offset + target.length)))
})

const known =
  (store: Store): Store =>
  (memory) => {
    const present = PageBitmap.make(memory.length / PAGE)
    for (let page = 0; page < present.pages; page++) {
      if (!isZero(memory, page)) present.setRange(page, 1)
    }
    return { ...store(memory), present }
  }

const isZero = (memory: Uint8Array, page: number): boolean =>
  memory.subarray(page * PAGE, (page + 1) * PAGE).every((byte) => byte === 0)

const batchOf = (job: Job, reader: PageReader): PageBatch.PageBatch => ({
  block: { idstr: "pc.ram", usedLength: job.block.pages * PAGE, pageSize: PAGE, reader },
  offset: job.offset,
  length: job.length,
  pages: job.pages
})

const stores: Record<string, Store> = {
  "in process memory": inMemory,
  "in process memory, known": known(inMemory),
  elsewhere,
  "elsewhere, known": known(elsewhere)
}

describe("PageBatch", () => {
  for (const [name, store] of Object.entries(stores)) {
    it.effect.prop(`loads pages ${name}`, { job }, ({ job }) =>
      Effect.gen(function* () {
        const memory = RamArbitraries.contents(job.block)
        const loaded = yield* PageBatch.load(batchOf(job, store(memory)), (length) => new Uint8Array(length).fill(9))
        const first = job.offset / PAGE
        assert.deepStrictEqual(PageRuns.intersect(loaded.normal, loaded.zero), [])
        assert.strictEqual(PageRuns.pages(loaded.normal) + PageRuns.pages(loaded.zero), PageRuns.pages(job.pages))
        assert.deepStrictEqual(PageRuns.difference(loaded.normal, job.pages), [])
        const zeros = [...pagesOf(loaded.zero)]
        assert.isTrue(zeros.every((page) => isZero(memory, first + page)))
        assert.isFalse([...pagesOf(loaded.normal)].some((page) => isZero(memory, first + page)))
        if (loaded.normal.length > 0 || loaded.data.length > 0) {
          assert.isTrue(Buffer.from(memory.buffer, job.offset, job.length).equals(loaded.data))
        }
      })
    )
  }

  it.effect("does not copy pages in process memory", () =>
    Effect.gen(function* () {
      const memory = new Uint8Array(4 * PAGE).fill(1)
      const batch = batchOf(whole(4), inMemory(memory))
      const { data } = yield* PageBatch.load(batch, () => assert.fail("no buffer is needed"))
      assert.strictEqual(data.buffer, memory.buffer)
    })
  )

  it.effect("asks for one buffer as long as the batch, and reads into it", () =>
    Effect.gen(function* () {
      const asked: Array<number> = []
      const buffer = new Uint8Array(4 * PAGE)
      const memory = new Uint8Array(4 * PAGE).fill(1)
      const { data } = yield* PageBatch.load(batchOf(whole(4), elsewhere(memory)), (length) => {
        asked.push(length)
        return buffer
      })
      assert.deepStrictEqual(asked, [4 * PAGE])
      assert.strictEqual(data, buffer)
    })
  )

  it.effect("reads nothing where no page is present, however long the batch", () =>
    Effect.gen(function* () {
      const pages = 2 ** 20
      const reader: PageReader = {
        present: PageBitmap.make(pages),
        view: () => assert.fail("no view is needed"),
        readInto: () => Effect.die("nothing to read")
      }
      const loaded = yield* PageBatch.load(batchOf(whole(pages), reader), () => assert.fail("no buffer is needed"))
      assert.deepStrictEqual(loaded.normal, [])
      assert.deepStrictEqual(loaded.zero, [0, pages])
    })
  )

  it.effect("takes a page that is present for normal, whatever it holds", () =>
    Effect.gen(function* () {
      const present = PageBitmap.make(4)
      present.setRange(1, 2)
      const reader = { ...elsewhere(new Uint8Array(4 * PAGE)), present }
      const loaded = yield* PageBatch.load(batchOf(whole(4), reader), (length) => new Uint8Array(length))
      assert.deepStrictEqual(loaded.normal, [1, 2])
      assert.deepStrictEqual(loaded.zero, [0, 1, 3, 1])
    })
  )

  it.effect("fails as the reader fails", () =>
    Effect.gen(function* () {
      const reader: PageReader<"gone"> = {
        present: undefined,
        view: undefined,
        readInto: () => Effect.fail("gone" as const)
      }
      const shape = { idstr: "pc.ram", usedLength: PAGE, pageSize: PAGE, reader }
      const batch = { block: shape, offset: 0, length: PAGE, pages: PageRuns.all(1) }
      assert.strictEqual(yield* Effect.flip(PageBatch.load(batch, (length) => new Uint8Array(length))), "gone")
    })
  )
})

const whole = (pages: number): Job => ({
  block: { idstr: "pc.ram", pageSize: PAGE, pages, pattern: "zero", seed: 1 },
  offset: 0,
  length: pages * PAGE,
  pages: PageRuns.all(pages)
})

function* pagesOf(runs: PageRuns.PageRuns): Generator<number> {
  for (let i = 0; i < runs.length; i += 2) {
    for (let page = runs[i]!; page < runs[i]! + runs[i + 1]!; page++) yield page
  }
}
