/** A machine that writes to its memory while it is saved, in parts of pages, until it is stopped. */
import { assert } from "@effect/vitest"
import * as Arbitrary from "effect/Arbitrary"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import * as FilePages from "../../../src/io/files/FilePages.ts"
import * as PositionalFile from "../../../src/io/files/PositionalFile.ts"
import * as DirtyTracker from "../../../src/ram/DirtyTracker.ts"
import * as MemoryPages from "../../../src/ram/MemoryPages.ts"
import type * as RamBlock from "../../../src/ram/RamBlock.ts"
import * as RamArbitraries from "../../../src/testing/RamArbitraries.ts"
import { between } from "../arbitraries.ts"

/** One write: where, as fractions of 1000, how much, and how long it waits in the middle and behind. */
const write = Arbitrary.all({
  at: between(0, 999),
  length: Arbitrary.schema(Schema.Literals([1, 7, 512, 4096, 10_000])),
  value: between(0, 2),
  midway: between(0, 3),
  rest: between(0, 6)
})

/** What is written is one of these, another one each time: it goes away, and comes back. */
const valueOf = (index: number): number => [0, 1, 0x5a][index % 3]!

export const script = Arbitrary.array(write, { minLength: 1, maxLength: 12 })

export type Write = typeof write extends Arbitrary.Arbitrary<infer A> ? A : never

export interface Options {
  readonly blocks: ReadonlyArray<RamArbitraries.Block>
  /** Where the memory lies. */
  readonly kind: "memory" | "file"
  readonly tracking: "marking" | DirtyTracker.Comparison
  /** What each writer does, again and again. */
  readonly scripts: ReadonlyArray<ReadonlyArray<Write>>
}

export interface Machine {
  readonly blocks: ReadonlyArray<RamBlock.Readable<unknown>>
  readonly tracker: DirtyTracker.DirtyTracker
  /** Succeeds when every writer has finished what it was at. */
  readonly pause: Effect.Effect<void>
  readonly resume: Effect.Effect<void>
  /** How often the machine was stopped, and let go on. */
  readonly calls: { pauses: number; resumes: number }
  /** The memory when it was last stopped. */
  readonly atPause: () => ReadonlyArray<Uint8Array>
  readonly isRunning: () => boolean
}

/** Memory that is written to, and says so in its own time. */
interface Store {
  readonly block: RamBlock.Readable<unknown>
  readonly write: (offset: number, bytes: Uint8Array) => Effect.Effect<void>
  readonly contents: Effect.Effect<Uint8Array>
}

const inMemory = Effect.fnUntraced(function* (described: RamArbitraries.Block): Effect.fn.Return<Store> {
  const { idstr, pageSize } = described
  const memory = RamArbitraries.contents(described)
  return {
    block: yield* Effect.orDie(MemoryPages.make({ idstr, memory, pageSize })),
    write: (offset, bytes) => Effect.sync(() => memory.set(bytes, offset)),
    contents: Effect.sync(() => memory.slice())
  }
})

/** The file is opened twice, as if the writer were another process. */
const inFile = Effect.fnUntraced(function* (
  described: RamArbitraries.Block,
  index: number
): Effect.fn.Return<Store, never, Scope.Scope> {
  const { idstr, pageSize } = described
  const path = `/ram${index}`
  const bytes = RamArbitraries.contents(described)
  const file = yield* Effect.orDie(PositionalFile.open(path, { access: "read-write", create: "exclusive" }))
  yield* Effect.orDie(file.write(0, bytes))
  return {
    block: yield* Effect.orDie(FilePages.make({ idstr, path, pageSize, access: "read" })),
    write: (offset, bytes) => Effect.orDie(file.write(offset, bytes)),
    contents: Effect.suspend(() => {
      const contents = new Uint8Array(bytes.length)
      return Effect.as(Effect.orDie(file.read(0, contents)), contents)
    })
  }
})

export const make = Effect.fnUntraced(function* ({
  blocks: described,
  kind,
  scripts,
  tracking
}: Options): Effect.fn.Return<Machine, never, Scope.Scope> {
  const stores = yield* Effect.forEach(described, kind === "memory" ? inMemory : inFile)
  const blocks = stores.map(({ block }) => block)
  const marking = tracking === "marking" ? yield* DirtyTracker.marking(blocks) : undefined
  const calls = { pauses: 0, resumes: 0 }
  let running = true
  let busy = 0
  let atPause: ReadonlyArray<Uint8Array> = []

  const perform = Effect.fnUntraced(function* (
    { at, length, midway, value }: Write,
    time: number
  ): Effect.fn.Return<void> {
    const { block, write } = stores[at % stores.length]!
    const offset = Math.floor((at * block.usedLength) / 1000)
    const bytes = new Uint8Array(Math.min(length, block.usedLength - offset)).fill(valueOf(value + time))
    const half = bytes.length >> 1
    yield* write(offset, bytes.subarray(0, half))
    yield* midway === 0 ? Effect.yieldNow : Effect.sleep(midway)
    yield* write(offset + half, bytes.subarray(half))
    marking?.markDirty(block.idstr, offset, bytes.length)
  })
  const one = (write: Write, time: number) =>
    Effect.suspend(() => {
      if (!running) return Effect.sleep(1)
      busy++
      return Effect.andThen(
        perform(write, time),
        Effect.sync(() => busy--)
      )
    }).pipe(Effect.andThen(Effect.sleep(write.rest)))
  const writer = Effect.fnUntraced(function* (script: ReadonlyArray<Write>): Effect.fn.Return<never> {
    for (let time = 0; ; time++) yield* Effect.forEach(script, (write) => one(write, time), { discard: true })
  })
  yield* Effect.forEach(scripts, (script) => Effect.forkScoped(writer(script)), { discard: true })

  return {
    blocks,
    tracker: marking ?? DirtyTracker.comparing(tracking as DirtyTracker.Comparison),
    pause: Effect.gen(function* () {
      calls.pauses++
      assert.isTrue(running)
      running = false
      while (busy > 0) yield* Effect.sleep(1)
      atPause = yield* Effect.forEach(stores, ({ contents }) => contents)
    }),
    resume: Effect.sync(() => {
      calls.resumes++
      running = true
    }),
    calls,
    atPause: () => atPause,
    isRunning: () => running
  }
})
