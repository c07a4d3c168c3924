/** A save that keeps what it has written, in many small steps. */
import * as Effect from "effect/Effect"
import * as MachineState from "../../../src/snapshot/MachineState.ts"
import type * as Migration from "../../../src/migration/Migration.ts"
import * as MemoryPages from "../../../src/ram/MemoryPages.ts"
import * as RamArbitraries from "../../../src/testing/RamArbitraries.ts"

/** Bytes. */
export const PAGE = 4096

const blocks: ReadonlyArray<RamArbitraries.Block> = [
  { idstr: "pc.ram", pageSize: PAGE, pages: 96, pattern: "alternating", seed: 5 },
  { idstr: "vga.vram", pageSize: PAGE, pages: 32, pattern: "random", seed: 6 }
]

const memories = new Map(blocks.map((block) => [block.idstr, RamArbitraries.contents(block)]))

/** What a block holds. */
export const memoryOf = (idstr: string): Uint8Array => memories.get(idstr)!

/** Pages that are not zero. */
export const normalPages = blocks.reduce((sum, { idstr, pages }) => {
  const memory = memoryOf(idstr)
  const isNormal = (page: number) => memory.subarray(page * PAGE, (page + 1) * PAGE).some((byte) => byte !== 0)
  return sum + Array.from({ length: pages }, (_, page) => page).filter(isNormal).length
}, 0)

/** Extents of 16 pages. */
export const seal = { extentSize: 64 * 1024 }

/** A save with a checkpoint every 16 pages, or a little more. */
export const request = Effect.fnUntraced(function* (target: string) {
  const machineState = yield* MachineState.fromSections({
    machine: "pc-q35-10.0",
    sections: [{ name: "cpu", instanceId: 0, version: 1, data: new Uint8Array(3000).fill(0x77) }]
  })
  const sources = yield* Effect.forEach(blocks, (block) =>
    MemoryPages.make({ ...block, memory: memoryOf(block.idstr) })
  )
  return {
    target,
    blocks: sources,
    machineState,
    seal,
    channels: 2,
    batchSize: 4 * PAGE,
    keepPartial: true,
    checkpointBytes: 16 * PAGE
  } satisfies Migration.SaveOptions
}, Effect.orDie)
