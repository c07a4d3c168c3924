import * as Checksum from "../../format/seal/Checksum.ts"
import * as Invariant from "../../ram/Invariant.ts"
import * as PageRuns from "../../ram/PageRuns.ts"
import * as ZeroPages from "../../ram/ZeroPages.ts"
import type * as LaneJob from "../LaneJob.ts"
import { ExtentCheck } from "./extentCheck.ts"
import { RunCutter } from "./runCutter.ts"
import type { ScanBuffer } from "./scanBuffer.ts"
import { CallFailure, moveAll, type SystemCalls } from "./systemCalls.ts"

/**
 * Bytes of a piece: small enough that the bytes are still in the processor's cache when they are examined, digested and
 * written after reading.
 */
const PIECE_BYTES = 256 * 1024

/** Largest gap of pages between two runs that is read along: reading it is faster than another call. */
const READ_GAP = 8

/** The same for reads in place, where the gap must be cleared again. */
const READ_GAP_IN_PLACE = 2

/**
 * The environment of a lane.
 *
 * @internal
 */
export interface Tools {
  readonly calls: SystemCalls
  readonly buffer: ScanBuffer
  /** Checked before every piece. */
  readonly isCancelled: () => boolean
}

const NO_BYTES = new Uint8Array(0)

/** Pages of one piece, relative to it. */
interface Piece {
  /** The number of its first page. */
  readonly first: number
  readonly pages: PageRuns.PageRuns
  readonly normal: PageRuns.PageRuns | undefined
  readonly clear: PageRuns.PageRuns
}

const inMemory = (
  place: LaneJob.Place | undefined
): place is Extract<LaneJob.Place, { readonly memory: SharedArrayBuffer }> => place !== undefined && "memory" in place

/**
 * ```text
 *   read ──▶ look for zero pages ──▶ digests ──▶ write        256 KiB in one buffer, then the next 256 KiB
 *   pages that lie in shared memory are looked at and written from there, and read to there
 * ```
 */
class Copy {
  readonly #job: LaneJob.CopyJob
  readonly #tools: Tools
  readonly #normal: Array<number> = []
  readonly #digestLength: number
  readonly #checks: ExtentCheck | undefined
  #digests: Uint8Array
  #digested = 0
  #bytes = 0

  constructor(job: LaneJob.CopyJob, tools: Tools) {
    this.#job = job
    this.#tools = tools
    const { checks, digests } = job
    this.#checks = checks === undefined ? undefined : new ExtentCheck(checks, job.pageSize)
    this.#digestLength = digests === undefined ? 0 : Checksum.digestLength(digests)
    this.#digests = new Uint8Array(PageRuns.pages(job.normal ?? job.pages) * this.#digestLength)
  }

  run(): LaneJob.Answer {
    const { checks, clear, normal, pageSize, pages } = this.#job
    const cutters = { pages: new RunCutter(pages), clear: new RunCutter(clear) }
    const known = normal === undefined ? undefined : new RunCutter(normal)
    const end = Math.max(PageRuns.end(pages), PageRuns.end(clear))
    const step = checks?.pagesPerExtent ?? Math.max(1, PIECE_BYTES / pageSize)
    for (let first = 0; first < end; first += step) {
      if (this.#tools.isCancelled()) return { _tag: "Cancelled" }
      const to = first + step
      this.#copy({
        first,
        pages: cutters.pages.within(first, to),
        clear: cutters.clear.within(first, to),
        normal: known?.within(first, to)
      })
    }
    const [damaged, ...others] = this.#checks?.damaged ?? []
    if (damaged !== undefined) return { _tag: "Damaged", extents: [damaged, ...others] }
    const digests = this.#digests.slice(0, this.#digested * this.#digestLength)
    return { _tag: "Copied", normal: normal ?? this.#normal, digests, bytes: this.#bytes }
  }

  #copy(piece: Piece): void {
    const wanted = piece.normal ?? piece.pages
    // An extent without pages also has a digest, which records that.
    if (wanted.length === 0) this.#checks?.isDamaged(piece.first, NO_BYTES)
    const along = wanted.length > 0 ? this.#copyPages(piece, wanted) : PageRuns.empty
    const rest = PageRuns.difference(piece.clear, along)
    PageRuns.forEach(rest, (page, count) => this.#clear(piece.first + page, count))
  }

  /** The pages whose bytes are available now. */
  #copyPages(piece: Piece, wanted: PageRuns.PageRuns): PageRuns.PageRuns {
    const { gap, pageSize, source, target } = this.#job
    const length = PageRuns.end(piece.pages) * pageSize
    const at = piece.first * pageSize
    const straight = inMemory(target) ? new Uint8Array(target.memory, target.position + at, length) : undefined
    const data = inMemory(source)
      ? new Uint8Array(source.memory, source.position + at, length)
      : this.#read(piece, wanted, straight ?? this.#tools.buffer.bytes(length))
    const normal = piece.normal ?? this.#normalOf(data, piece.pages)
    if (piece.normal === undefined) this.#collect(piece.first, normal)
    if (this.#checks?.isDamaged(piece.first, data) === true) {
      if (straight !== undefined) data.fill(0)
      return normal
    }
    if (this.#digestLength > 0) this.#digest(data, normal)
    if (target === undefined) return normal
    const runs = PageRuns.intersect(PageRuns.merge(normal, gap), piece.pages)
    if (straight !== undefined) {
      if (inMemory(source)) copyRuns(data, straight, normal, pageSize)
      return this.#count(runs)
    }
    if (piece.normal !== undefined) clearRuns(data, PageRuns.difference(runs, normal), pageSize)
    PageRuns.forEach(runs, (page, count) => this.#write(at + page * pageSize, slice(data, page, count, pageSize)))
    return this.#count(runs)
  }

  #count(runs: PageRuns.PageRuns): PageRuns.PageRuns {
    this.#bytes += PageRuns.pages(runs) * this.#job.pageSize
    return runs
  }

  /** Reads the wanted pages; in place, gaps that are read along are zeroed. */
  #read(piece: Piece, wanted: PageRuns.PageRuns, data: Uint8Array): Uint8Array {
    const { pageSize, source, target } = this.#job
    if (inMemory(source)) return data
    const { fd, position } = source
    const at = position + piece.first * pageSize
    const straight = inMemory(target)
    const runs = PageRuns.intersect(
      PageRuns.merge(wanted, straight ? READ_GAP_IN_PLACE : READ_GAP),
      straight ? piece.pages : PageRuns.all(PageRuns.end(wanted))
    )
    try {
      PageRuns.forEach(runs, (page, count) =>
        moveAll(this.#tools.calls, {
          end: "source",
          operation: "read",
          fd,
          position: at + page * pageSize,
          bytes: slice(data, page, count, pageSize)
        })
      )
    } finally {
      if (straight) clearRuns(data, PageRuns.difference(runs, wanted), pageSize)
    }
    return data
  }

  #normalOf(data: Uint8Array, pages: PageRuns.PageRuns): PageRuns.PageRuns {
    const { pageSize, source, target } = this.#job
    return inMemory(source) || inMemory(target)
      ? ZeroPages.split(data, pageSize, pages).normal
      : this.#tools.buffer.normal(pageSize, pages)
  }

  #collect(first: number, normal: PageRuns.PageRuns): void {
    const all = this.#normal
    PageRuns.forEach(normal, (page, count) => {
      if (all.length > 0 && PageRuns.end(all) === first + page) all.push((all.pop() ?? 0) + count)
      else all.push(first + page, count)
    })
  }

  #digest(data: Uint8Array, normal: PageRuns.PageRuns): void {
    const { digests, pageSize } = this.#job
    const algorithm = Invariant.defined(digests, "a job that digests names its algorithm")
    PageRuns.forEach(normal, (first, count) => {
      for (let page = first; page < first + count; page++) {
        Checksum.pageInto(
          algorithm,
          slice(data, page, 1, pageSize),
          this.#digests,
          this.#digested++ * this.#digestLength
        )
      }
    })
  }

  /** `at`: bytes from the start of the range. */
  #write(at: number, bytes: Uint8Array): void {
    const { target } = this.#job
    if (target === undefined || inMemory(target)) return
    const { fd, position } = target
    moveAll(this.#tools.calls, { end: "target", operation: "write", fd, position: position + at, bytes })
  }

  /** Zeros are not rewritten, so that holes stay holes. */
  #clear(first: number, count: number): void {
    const { pageSize, target } = this.#job
    const at = first * pageSize
    const length = count * pageSize
    if (target === undefined) return
    if (inMemory(target)) return clearMemory(new Uint8Array(target.memory, target.position + at, length), pageSize)
    const { calls, buffer } = this.#tools
    const data = buffer.bytes(length)
    moveAll(calls, { end: "target", operation: "read", fd: target.fd, position: target.position + at, bytes: data })
    const normal = buffer.normal(pageSize, PageRuns.all(count))
    clearRuns(data, normal, pageSize)
    PageRuns.forEach(normal, (page, pages) => this.#write(at + page * pageSize, slice(data, page, pages, pageSize)))
  }
}

const slice = (data: Uint8Array, page: number, count: number, pageSize: number): Uint8Array =>
  data.subarray(page * pageSize, (page + count) * pageSize)

const clearRuns = (data: Uint8Array, runs: PageRuns.PageRuns, pageSize: number): void =>
  PageRuns.forEach(runs, (page, count) => void data.fill(0, page * pageSize, (page + count) * pageSize))

const copyRuns = (from: Uint8Array, to: Uint8Array, runs: PageRuns.PageRuns, pageSize: number): void =>
  PageRuns.forEach(runs, (page, count) => to.set(slice(from, page, count, pageSize), page * pageSize))

/** Untouched memory stays untouched. */
const clearMemory = (data: Uint8Array, pageSize: number): void =>
  clearRuns(data, ZeroPages.split(data, pageSize, PageRuns.all(data.length / pageSize)).normal, pageSize)

/**
 * Runs a job in the calling thread.
 *
 * @internal
 */
export const copyPages = (job: LaneJob.CopyJob, tools: Tools): LaneJob.Answer => {
  try {
    return new Copy(job, tools).run()
  } catch (cause) {
    if (cause instanceof CallFailure) return cause.failed
    throw cause
  }
}
