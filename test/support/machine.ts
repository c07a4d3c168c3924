/** A small machine, the same one each time, and whether an image is one of it. */
import * as Effect from "effect/Effect"
import * as ByteSource from "../../src/snapshot/ByteSource.ts"
import * as Image from "../../src/image/Image.ts"
import * as MachineState from "../../src/snapshot/MachineState.ts"
import * as MemoryPages from "../../src/ram/MemoryPages.ts"
import * as RamArbitraries from "../../src/testing/RamArbitraries.ts"

/** What a process that is to die is told. */
export interface Request {
  readonly target: string | { readonly path: string; readonly offset: number }
  readonly pages: number
  readonly channels: number
  /** Counts the calls that change the disk from 0. */
  readonly at: number
  readonly moment: "before" | "during" | "after"
}

const PAGE = 4096
const sections = [{ name: "cpu", instanceId: 0, version: 1, data: new Uint8Array(3000).fill(0x77) }]

/** Two thirds of the pages belong to a block where every other page is zero, the others to one of random bytes. */
const blocksOf = (pages: number): ReadonlyArray<RamArbitraries.Block> => {
  const some = Math.ceil(pages / 3)
  return [
    { idstr: "pc.ram", pageSize: PAGE, pages: pages - some, pattern: "alternating", seed: 7 },
    { idstr: "vga.vram", pageSize: PAGE, pages: some, pattern: "mixed", seed: 11 }
  ]
}

const makeMachine = Effect.fnUntraced(function* (pages: number) {
  const blocks = yield* Effect.forEach(blocksOf(pages), (block) =>
    MemoryPages.make({ ...block, memory: RamArbitraries.contents(block) })
  )
  return { blocks, machineState: yield* MachineState.fromSections({ machine: "pc-q35-10.0", sections }) }
}, Effect.orDie)

const machines = new Map<number, Effect.Success<ReturnType<typeof makeMachine>>>()

/** What is to be saved; `pages` is a multiple of 3. Nobody writes to it, so it is made once. */
export const machineOf = Effect.fnUntraced(function* (pages: number) {
  const machine = machines.get(pages) ?? (yield* makeMachine(pages))
  machines.set(pages, machine)
  return machine
})

/** The same blocks with something else in them: whatever shows of it afterwards is stale. */
export const staleBlocksOf = (pages: number) =>
  Effect.forEach(blocksOf(pages), (block) =>
    Effect.orDie(MemoryPages.make({ ...block, memory: new Uint8Array(block.pages * PAGE).fill(0xa5), fresh: false }))
  )

/** Everything that an image holds: pages, device state, description. Fails where it is none, or damaged. */
export const contentsOf = (target: Request["target"]) =>
  Effect.gen(function* () {
    const image = yield* Image.open(target)
    const { configuration, deviceState, description } = image.machineState
    const pages = yield* Effect.forEach(image.blocks, ({ idstr, usedLength }) => image.readPages(idstr, 0, usedLength))
    return {
      machine: configuration?.machine,
      names: image.blocks.map(({ idstr }) => idstr),
      bytes: Buffer.concat([...pages, yield* ByteSource.read(deviceState)]),
      description: Buffer.from(yield* ByteSource.read(description))
    }
  }).pipe(Effect.scoped)
