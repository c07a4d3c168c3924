import type { LoadedBatch } from "../../ram/PageBatch.ts"

/**
 * The pages of one packet, each list in ascending order.
 *
 * @internal
 */
export interface PagesOfPacket {
  /** Byte offsets in the block. */
  readonly normal: ReadonlyArray<number>
  /** Byte offsets in the block. */
  readonly zero: ReadonlyArray<number>
  /** The bytes of the normal pages in place, one view for each run of neighbours. */
  readonly runs: ReadonlyArray<Uint8Array>
}

interface Draft {
  readonly normal: Array<number>
  readonly zero: Array<number>
  readonly runs: Array<Uint8Array>
}

/**
 * Cuts a batch into packets of `capacity` pages; the last one may have fewer. Pages that are neighbours in the block
 * stay together: normal and zero pages are taken in the order of the block.
 *
 * @internal
 */
export function* cutPackets(
  { block, data, normal, offset, zero }: LoadedBatch<unknown>,
  capacity: number
): Generator<PagesOfPacket, void> {
  const { pageSize } = block
  let draft: Draft = { normal: [], zero: [], runs: [] }
  let room = capacity

  const take = (isNormal: boolean, first: number, count: number): void => {
    const offsets = isNormal ? draft.normal : draft.zero
    for (let page = first; page < first + count; page++) offsets.push(offset + page * pageSize)
    if (isNormal) draft.runs.push(data.subarray(first * pageSize, (first + count) * pageSize))
  }
  for (const run of inOrder(normal, zero)) {
    let { count, first } = run
    while (count > 0) {
      const now = Math.min(count, room)
      take(run.isNormal, first, now)
      first += now
      count -= now
      room -= now
      if (room > 0) continue
      yield draft
      draft = { normal: [], zero: [], runs: [] }
      room = capacity
    }
  }
  if (room < capacity) yield draft
}

interface Run {
  readonly isNormal: boolean
  readonly first: number
  readonly count: number
}

function* inOrder(normal: ReadonlyArray<number>, zero: ReadonlyArray<number>): Generator<Run, void> {
  let i = 0
  let j = 0
  while (i < normal.length || j < zero.length) {
    const firstNormal = normal[i] ?? Number.POSITIVE_INFINITY
    const firstZero = zero[j] ?? Number.POSITIVE_INFINITY
    if (firstNormal < firstZero) {
      yield { isNormal: true, first: firstNormal, count: normal[i + 1] ?? 0 }
      i += 2
    } else {
      yield { isNormal: false, first: firstZero, count: zero[j + 1] ?? 0 }
      j += 2
    }
  }
}
