import * as Effect from "effect/Effect"
import type { PackReference, PageMap } from "../../format/store/PageMap.ts"
import * as PageDigest from "../../format/store/PageDigest.ts"
import type { Repository } from "../Repository.ts"
import { readTrailer } from "./packReader.ts"
import { pageStarts, type PageTable } from "./pageTable.ts"

/** Pages of a block that are consecutive in a pack. */
interface Piece {
  readonly table: PageTable
  readonly firstPage: number
  readonly firstInPack: number
  readonly count: number
}

/** The pieces of a map's blocks, by pack. Blocks of other names or page sizes are independent. */
const piecesByPack = (map: PageMap, tables: ReadonlyArray<PageTable>): ReadonlyArray<ReadonlyArray<Piece>> => {
  const starts = pageStarts(map.packs)
  const pieces: ReadonlyArray<Array<Piece>> = map.packs.map(() => [])
  const byName = new Map(
    tables.filter(({ shape }) => shape.pageSize === map.pageSize).map((table) => [table.shape.idstr, table])
  )
  for (const { idstr, runs } of map.blocks) {
    const table = byName.get(idstr)
    if (table === undefined) continue
    let page = 0
    runs.lengths.forEach((length, run) => {
      addRun(pieces, starts, { table, page, number: runs.pages[run] ?? -1, length })
      page += length
    })
  }
  return pieces
}

const addRun = (
  pieces: ReadonlyArray<Array<Piece>>,
  starts: Float64Array,
  { length, number, page, table }: { table: PageTable; page: number; number: number; length: number }
): void => {
  const usable = number < 0 ? 0 : Math.min(length, table.present.pages - page)
  for (let done = 0; done < usable;) {
    const at = number + done
    const pack = packAt(starts, at)
    const firstInPack = at - (starts[pack] ?? 0)
    const count = Math.min(usable - done, (starts[pack + 1] ?? at + 1) - at)
    pieces[pack]?.push({ table, firstPage: page + done, firstInPack, count })
    done += count
  }
}

/** The pack that has a page: the last one that begins at or before it. @internal */
export const packAt = (starts: Float64Array, page: number): number => {
  let [low, high] = [0, starts.length - 2]
  while (low < high) {
    const middle = (low + high + 1) >> 1
    if ((starts[middle] ?? 0) <= page) low = middle
    else high = middle - 1
  }
  return low
}

/**
 * Fills tables with the contents of a base, page by page at the same position. Returns the packs that they refer to,
 * which follow `packs` in the table of the new map.
 *
 * @internal
 */
export const fillFromBase = Effect.fnUntraced(function* (
  repository: Repository,
  base: PageMap,
  tables: ReadonlyArray<PageTable>,
  packs: ReadonlyArray<PackReference>
) {
  const used: Array<PackReference> = []
  for (const [index, pieces] of piecesByPack(base, tables).entries()) {
    const pack = base.packs[index]
    if (pack === undefined || pieces.length === 0) continue
    const { digests } = yield* readTrailer(repository, pack)
    const number = packs.length + used.length
    used.push(pack)
    for (const { count, firstInPack, firstPage, table } of pieces) {
      for (let offset = 0; offset < count; offset++) {
        const at = (firstInPack + offset) * PageDigest.BYTES
        table.set(firstPage + offset, digests.subarray(at, at + PageDigest.BYTES), number, firstInPack + offset)
      }
    }
  }
  return used
})
