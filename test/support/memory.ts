/** Blocks in process memory, filled as an arbitrary says, and what a test asks of them. */
import * as Effect from "effect/Effect"
import * as MemoryPages from "../../src/ram/MemoryPages.ts"
import type * as RamBlock from "../../src/ram/RamBlock.ts"
import * as RamArbitraries from "../../src/testing/RamArbitraries.ts"

export interface Filled {
  readonly block: RamBlock.RamBlock
  readonly bytes: Uint8Array
}

const over = (idstr: string, pageSize: number, bytes: Uint8Array, fresh: boolean): Effect.Effect<Filled> =>
  Effect.map(Effect.orDie(MemoryPages.make({ idstr, memory: bytes, pageSize, fresh })), (block) => ({ block, bytes }))

/** A block with the bytes that the arbitrary's value stands for. */
export const filled = (value: RamArbitraries.Block): Effect.Effect<Filled> =>
  over(value.idstr, value.pageSize, RamArbitraries.contents(value), false)

/** A block of the same shape that holds something else: whatever shows of it afterwards is stale. */
export const stale = ({ block }: { readonly block: RamBlock.Shape }): Effect.Effect<Filled> =>
  over(block.idstr, block.pageSize, new Uint8Array(block.usedLength).fill(0xa5), false)

/** One block of 64 pages: every other page random, the second half zero. */
export const small = (idstr = "pc.ram"): Effect.Effect<Filled> => {
  const bytes = RamArbitraries.contents({ idstr, pageSize: 4096, pages: 64, pattern: "alternating", seed: 7 })
  return over(idstr, 4096, bytes.fill(0, 32 * 4096), false)
}

/** The pages that are not all zeros. */
export const presentPages = (bytes: Uint8Array, pageSize: number): ReadonlyArray<number> => {
  const pages = Array.from({ length: bytes.length / pageSize }, (_, page) => page)
  return pages.filter((page) => bytes.subarray(page * pageSize, (page + 1) * pageSize).some((byte) => byte !== 0))
}
