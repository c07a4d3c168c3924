// These loops run for every page of every packet, and their indexes stay inside the lists by construction (the pages of
// a packet are among its runs). A check of each index would be paid for every page.
// oxlint-disable typescript/no-non-null-assertion -- see above
import type { Extent } from "../../format/stream/SocketStream.ts"
import * as PageRuns from "../../ram/PageRuns.ts"
import type { Pages, PageSink } from "../../transfer/PageSink.ts"

/**
 * The destination of the pages of a packet, before they arrive.
 *
 * @internal
 */
export interface Placed {
  /** The destinations of the normal pages' bytes, in the order of arrival; none if they are already in place. */
  readonly targets: ReadonlyArray<Uint8Array>
  /** The same pages in ascending order, to be stored when the targets are filled. */
  readonly pages: Pages
}

/**
 * Finds a destination for each page of a packet. In memory it is the page's own. Otherwise it is the page's place in
 * `payload`, if that has arrived and its pages are in the order in which they are stored. Otherwise it is a place in
 * `buffer`, which has room for all pages of the packet, normal and zero ones, in ascending order.
 *
 * A page that is listed twice gets one destination, so that the bytes that arrive last win. A page that is listed as
 * normal and as zero is normal, because QEMU clears first.
 *
 * @internal
 */
export const placePages = (
  packet: { readonly normal: ArrayLike<number>; readonly zero: ArrayLike<number> },
  sink: Pick<PageSink, "pageSize" | "view" | "coalescePages">,
  buffer: () => Uint8Array,
  payload?: Uint8Array
): Placed => {
  const { pageSize, view } = sink
  const numbers = pageNumbers(packet.normal, pageSize)
  const ascending = unique(numbers)
  const normal = PageRuns.fromPages(ascending)
  const zeros = PageRuns.fromPages(unique(pageNumbers(packet.zero, pageSize)))
  const zero = normal.length === 0 ? zeros : PageRuns.difference(zeros, normal)
  const runs = joined(normal, zero, sink.coalescePages)
  if (payload !== undefined && ascending === numbers && runs === normal) {
    const extents = layOut(runs, pageSize, oneByOne(payload))
    return { targets: [], pages: { extents, normal, zero, gaps: PageRuns.empty } }
  }
  const gaps = runs === normal ? PageRuns.empty : PageRuns.intersect(zero, runs)
  const extents = layOut(runs, pageSize, view ?? fromBuffer(buffer, runs, pageSize))
  clear(gaps, runs, extents, pageSize)
  return { targets: inOrder(numbers, runs, extents, pageSize), pages: { extents, normal, zero, gaps } }
}

/** A loop, like everything that runs once per page: `Array.from` takes ten times as long. */
const pageNumbers = (offsets: ArrayLike<number>, pageSize: number): ReadonlyArray<number> => {
  const numbers: Array<number> = []
  for (let i = 0; i < offsets.length; i++) numbers.push(offsets[i]! / pageSize)
  return numbers
}

/** Ascending and unique. QEMU's packets usually are already, so checking is cheaper than sorting. */
const unique = (numbers: ReadonlyArray<number>): ReadonlyArray<number> => {
  for (let i = 1; i < numbers.length; i++) {
    if (numbers[i]! > numbers[i - 1]!) continue
    const sorted = Float64Array.from(numbers).toSorted()
    return [...new Set(sorted)]
  }
  return numbers
}

/**
 * Joins runs whose gaps are short and all zero in this same packet: pages that are not in the packet must keep their
 * bytes.
 */
const joined = (normal: PageRuns.PageRuns, zero: PageRuns.PageRuns, gap: number): PageRuns.PageRuns => {
  if (gap < 1 || zero.length === 0 || normal.length < 4) return normal
  const bridges: Array<number> = []
  let at = 0
  for (let i = 2; i < normal.length; i += 2) {
    const end = normal[i - 2]! + normal[i - 1]!
    const count = normal[i]! - end
    while (at < zero.length && zero[at]! < end) at += 2
    if (zero[at] === end && zero[at + 1] === count && count <= gap) bridges.push(end, count)
  }
  return bridges.length === 0 ? normal : PageRuns.fromRanges([...normal, ...bridges])
}

type View = (offset: number, length: number) => Uint8Array

const fromBuffer = (buffer: () => Uint8Array, runs: PageRuns.PageRuns, pageSize: number): View => {
  if (runs.length === 0) return (_offset, length) => new Uint8Array(length)
  return oneByOne(buffer().subarray(0, PageRuns.pages(runs) * pageSize))
}

const oneByOne = (memory: Uint8Array): View => {
  let at = 0
  return (_offset, length) => memory.subarray(at, (at += length))
}

const layOut = (runs: PageRuns.PageRuns, pageSize: number, place: View): ReadonlyArray<Extent> => {
  const extents: Array<Extent> = []
  PageRuns.forEach(runs, (first, count) => {
    const offset = first * pageSize
    extents.push({ offset, bytes: place(offset, count * pageSize) })
  })
  return extents
}

const clear = (
  gaps: PageRuns.PageRuns,
  runs: PageRuns.PageRuns,
  extents: ReadonlyArray<Extent>,
  pageSize: number
): void => {
  let run = 0
  PageRuns.forEach(gaps, (first, count) => {
    while (runs[2 * run]! + runs[2 * run + 1]! <= first) run++
    const start = (first - runs[2 * run]!) * pageSize
    extents[run]!.bytes.fill(0, start, start + count * pageSize)
  })
}

/** The destinations of pages in the order of arrival; pages that are neighbours in both orders share one. */
const inOrder = (
  numbers: ReadonlyArray<number>,
  runs: PageRuns.PageRuns,
  extents: ReadonlyArray<Extent>,
  pageSize: number
): ReadonlyArray<Uint8Array> => {
  const targets: Array<Uint8Array> = []
  let i = 0
  let run = 0
  while (i < numbers.length) {
    const first = numbers[i]!
    run = runOf(first, runs, run)
    const end = runs[2 * run]! + runs[2 * run + 1]!
    let next = i + 1
    while (next < numbers.length && numbers[next] === first + next - i && numbers[next]! < end) next++
    const start = (first - runs[2 * run]!) * pageSize
    targets.push(extents[run]!.bytes.subarray(start, start + (next - i) * pageSize))
    i = next
  }
  return targets
}

/** The index of the run that contains the page, searched from `guess`; one of them does. */
const runOf = (page: number, runs: PageRuns.PageRuns, guess: number): number => {
  let run = guess
  while (page < runs[2 * run]!) run--
  while (page >= runs[2 * run]! + runs[2 * run + 1]!) run++
  return run
}
