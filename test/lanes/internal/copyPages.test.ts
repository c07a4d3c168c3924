import { assert, describe, it } from "@effect/vitest"
import * as Checksum from "../../../src/format/seal/Checksum.ts"
import { copyPages } from "../../../src/lanes/internal/copyPages.ts"
import * as ScanBuffer from "../../../src/lanes/internal/scanBuffer.ts"
import type { SystemCalls } from "../../../src/lanes/internal/systemCalls.ts"
import type * as LaneJob from "../../../src/lanes/LaneJob.ts"
import * as PageRuns from "../../../src/ram/PageRuns.ts"

const PAGE = 1024
const SOURCE = 3
const TARGET = 4
/** More than one piece of 256 KiB. */
const PAGES = 700

/** Two files in memory, as the kernel would have them. */
const makeFiles = (source: Uint8Array, target: Uint8Array, most = Infinity) => {
  const log: Array<{ readonly name: "read" | "write"; readonly position: number; readonly length: number }> = []
  const file = (fd: number) => (fd === SOURCE ? source : target)
  const calls: SystemCalls = {
    read: (fd, data, offset, length, position) => {
      log.push({ name: "read", position, length })
      const bytes = file(fd).subarray(position, position + Math.min(length, most))
      data.set(bytes, offset)
      return bytes.length
    },
    write: (fd, data, offset, length, position) => {
      log.push({ name: "write", position, length })
      const count = Math.min(length, most)
      file(fd).set(data.subarray(offset, offset + count), position)
      return count
    }
  }
  return { calls, log, target }
}

const fill = (bytes: Uint8Array, runs: PageRuns.PageRuns, value: (page: number) => number): Uint8Array => {
  PageRuns.forEach(runs, (first, count) => {
    for (let page = first; page < first + count; page++) bytes.fill(value(page), page * PAGE, (page + 1) * PAGE)
  })
  return bytes
}

const content = (page: number): number => (page % 200) + 1
const stale = (bytes: number): Uint8Array => new Uint8Array(bytes).fill(0xee)

const job = (options: Partial<LaneJob.CopyJob>): LaneJob.CopyJob => ({
  source: { fd: SOURCE, position: 0 },
  target: { fd: TARGET, position: 0 },
  pageSize: PAGE,
  pages: [0, PAGES],
  normal: undefined,
  gap: 0,
  digests: undefined,
  clear: [],
  checks: undefined,
  ...options
})

const tools = (calls: SystemCalls, isCancelled = () => false) => ({ calls, buffer: ScanBuffer.make(), isCancelled })

const copied = (answer: LaneJob.Answer): LaneJob.Copied => {
  if (answer._tag !== "Copied") throw new Error(answer._tag)
  return answer
}

/** Runs across the borders of pieces, and alternating pages. */
const NORMAL: PageRuns.PageRuns = [0, 1, 2, 1, 5, 3, 200, 120, 500, 40, 699, 1]

const shared = (bytes: Uint8Array): SharedArrayBuffer => {
  const memory = new SharedArrayBuffer(bytes.length)
  new Uint8Array(memory).set(bytes)
  return memory
}

describe("copyPages", () => {
  for (const gap of [0, 1, 4, 4096]) {
    it(`finds the zero pages of a file, and writes gaps of ${gap} along as zeros`, () => {
      const source = fill(new Uint8Array(PAGES * PAGE), NORMAL, content)
      const { calls, target } = makeFiles(source, stale(PAGES * PAGE))
      const answer = copied(copyPages(job({ gap }), tools(calls)))
      assert.deepStrictEqual(answer.normal, NORMAL)
      assert.strictEqual(answer.digests.length, 0)
      const written = fill(stale(PAGES * PAGE), PageRuns.complement(NORMAL, PAGES), () => 0xee)
      PageRuns.forEach(NORMAL, (first, count) => {
        for (let page = first; page < first + count; page++) {
          assert.deepStrictEqual(
            target.subarray(page * PAGE, (page + 1) * PAGE),
            source.subarray(page * PAGE, (page + 1) * PAGE)
          )
        }
      })
      const gaps = PageRuns.complement(NORMAL, PAGES)
      let along = 0
      PageRuns.forEach(gaps, (first, count) => {
        const bytes = target.subarray(first * PAGE, (first + count) * PAGE)
        const isZero = bytes.every((byte) => byte === 0)
        if (isZero) along += count
        else if (gap < count) assert.deepStrictEqual(bytes, written.subarray(first * PAGE, (first + count) * PAGE))
      })
      const merged = PageRuns.pages(NORMAL) + along
      assert.strictEqual(answer.bytes, merged * PAGE)
      if (gap === 0) assert.strictEqual(along, 0)
      if (gap === 1) assert.strictEqual(along, 1)
    })
  }

  it("known pages: what is stale under the others in the file is never written", () => {
    const source = fill(stale(PAGES * PAGE), NORMAL, content)
    const { calls, target } = makeFiles(source, new Uint8Array(PAGES * PAGE).fill(0x77))
    const answer = copied(copyPages(job({ normal: NORMAL, gap: 8 }), tools(calls)))
    assert.deepStrictEqual(answer.normal, NORMAL)
    assert.isFalse(target.includes(0xee))
  })

  it("only the pages of the job are touched", () => {
    const source = fill(new Uint8Array(PAGES * PAGE), [0, PAGES], content)
    const pages = [3, 2, 7, 1, 400, 5]
    for (const normal of [undefined, [3, 2, 400, 5]]) {
      const { calls, target } = makeFiles(source, stale(PAGES * PAGE))
      copied(copyPages(job({ pages, normal, gap: 10 }), tools(calls)))
      const touched = PageRuns.complement(pages, PAGES)
      PageRuns.forEach(touched, (first, count) => {
        assert.isTrue(target.subarray(first * PAGE, (first + count) * PAGE).every((byte) => byte === 0xee))
      })
    }
  })

  it("the places have positions", () => {
    const pages = fill(new Uint8Array(4 * PAGE), [1, 2], content)
    const source = new Uint8Array(100 + 4 * PAGE)
    source.set(pages, 100)
    const { calls, target } = makeFiles(source, stale(5000 + 4 * PAGE))
    const places = { source: { fd: SOURCE, position: 100 }, target: { fd: TARGET, position: 5000 } }
    copied(copyPages(job({ ...places, pages: [0, 4] }), tools(calls)))
    assert.deepStrictEqual(target.subarray(5000 + PAGE, 5000 + 3 * PAGE), pages.subarray(PAGE, 3 * PAGE))
  })

  for (const algorithm of ["crc32", "sha256"] as const) {
    it(`answers with the ${algorithm} digests of the normal pages`, () => {
      const source = fill(new Uint8Array(PAGES * PAGE), NORMAL, content)
      const length = Checksum.digestLength(algorithm)
      const expected = new Uint8Array(PageRuns.pages(NORMAL) * length)
      let at = 0
      PageRuns.forEach(NORMAL, (first, count) => {
        for (let page = first; page < first + count; page++, at += length) {
          Checksum.pageInto(algorithm, source.subarray(page * PAGE, (page + 1) * PAGE), expected, at)
        }
      })
      for (const normal of [undefined, NORMAL]) {
        const { calls } = makeFiles(source, stale(PAGES * PAGE))
        const answer = copied(copyPages(job({ normal, digests: algorithm }), tools(calls)))
        assert.deepStrictEqual(answer.digests, expected)
      }
    })
  }

  it("from shared memory to a file", () => {
    const memory = shared(fill(new Uint8Array(PAGES * PAGE), NORMAL, content))
    const { calls, target } = makeFiles(new Uint8Array(0), stale(PAGES * PAGE))
    const answer = copied(copyPages(job({ source: { memory, position: 0 } }), tools(calls)))
    assert.deepStrictEqual(answer.normal, NORMAL)
    PageRuns.forEach(NORMAL, (first, count) =>
      assert.deepStrictEqual(
        target.subarray(first * PAGE, (first + count) * PAGE),
        new Uint8Array(memory, first * PAGE, count * PAGE)
      )
    )
  })

  it("from a file to shared memory: absent pages are zero, others keep their bytes", () => {
    const source = fill(stale(PAGES * PAGE), NORMAL, content)
    const memory = shared(new Uint8Array((PAGES + 1) * PAGE).fill(0x55))
    const { calls } = makeFiles(source, new Uint8Array(0))
    const clear = PageRuns.complement(NORMAL, PAGES)
    copied(copyPages(job({ target: { memory, position: PAGE }, normal: NORMAL, gap: 2, clear }), tools(calls)))
    const found = new Uint8Array(memory)
    assert.isTrue(found.subarray(0, PAGE).every((byte) => byte === 0x55))
    assert.deepStrictEqual(found.subarray(PAGE), fill(new Uint8Array(PAGES * PAGE), NORMAL, content))
  })

  it("clears only what is not zero in a file", () => {
    const target = fill(new Uint8Array(PAGES * PAGE), [10, 2, 600, 50], () => 0x55)
    const { calls, log } = makeFiles(new Uint8Array(0), target)
    copied(copyPages(job({ pages: [], normal: [], clear: [5, 620] }), tools(calls)))
    assert.isTrue(target.subarray(0, 625 * PAGE).every((byte) => byte === 0))
    assert.isTrue(target.subarray(625 * PAGE, 650 * PAGE).every((byte) => byte === 0x55))
    const written = log.filter(({ name }) => name === "write").reduce((sum, { length }) => sum + length, 0)
    assert.strictEqual(written, 27 * PAGE)
  })

  it("short counts are gone on with", () => {
    const source = fill(new Uint8Array(PAGES * PAGE), NORMAL, content)
    const { calls, target } = makeFiles(source, new Uint8Array(PAGES * PAGE), 3000)
    copied(copyPages(job({}), tools(calls)))
    assert.deepStrictEqual(target, source)
  })

  it("says which call failed, and with what", () => {
    const source = fill(new Uint8Array(PAGES * PAGE), NORMAL, content)
    const { calls } = makeFiles(source, new Uint8Array(PAGES * PAGE))
    const full = Object.assign(new Error("no space"), { code: "ENOSPC", errno: -28, syscall: "write" })
    const write: SystemCalls["write"] = () => {
      throw full
    }
    assert.deepStrictEqual(copyPages(job({ target: { fd: TARGET, position: 50 } }), tools({ ...calls, write })), {
      _tag: "CallFailed",
      end: "target",
      operation: "write",
      position: 50,
      length: PAGE,
      moved: 0,
      error: { message: "no space", code: "ENOSPC", errno: -28, syscall: "write" }
    })
  })

  it("says where a file ends", () => {
    const { calls } = makeFiles(new Uint8Array(5 * PAGE + 7), new Uint8Array(PAGES * PAGE))
    const answer = copyPages(job({}), tools(calls))
    assert.deepInclude(answer, { _tag: "CallFailed", end: "source", operation: "read", moved: 5 * PAGE + 7 })
    assert.strictEqual(answer._tag === "CallFailed" && answer.error, undefined)
  })

  it("a call that a signal interrupted is made again", () => {
    const source = fill(new Uint8Array(PAGES * PAGE), NORMAL, content)
    const { calls, target } = makeFiles(source, new Uint8Array(PAGES * PAGE))
    let interrupted = 0
    const read: SystemCalls["read"] = (...args) => {
      if (interrupted++ % 2 === 0) throw Object.assign(new Error("again"), { code: "EINTR" })
      return calls.read(...args)
    }
    copied(copyPages(job({}), tools({ ...calls, read })))
    assert.deepStrictEqual(target, source)
  })

  it("a cancelled job ends in front of the next piece", () => {
    const { calls, log } = makeFiles(new Uint8Array(PAGES * PAGE).fill(1), new Uint8Array(PAGES * PAGE))
    const answer = copyPages(
      job({}),
      tools(calls, () => log.some(({ name }) => name === "write"))
    )
    assert.deepStrictEqual(answer, { _tag: "Cancelled" })
    assert.lengthOf(
      log.filter(({ name }) => name === "write"),
      1
    )
  })
})
