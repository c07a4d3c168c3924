import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { Finding } from "../../src/format/Finding.ts"
import * as MemoryPages from "../../src/ram/MemoryPages.ts"
import * as BlocksTarget from "../../src/snapshot/BlocksTarget.ts"
import * as ByteSource from "../../src/snapshot/ByteSource.ts"
import type { MachineHeader } from "../../src/snapshot/SnapshotTarget.ts"
import * as TransferCounters from "../../src/transfer/TransferCounters.ts"

const PAGE = 4096

const header = (usedLength: number): MachineHeader => ({
  configuration: { machine: "toy", capabilities: [] },
  prelude: Uint8Array.of(1),
  ramSectionId: 3,
  blocks: [{ idstr: "ram", usedLength, pageSize: PAGE }]
})

const transfer = { counters: TransferCounters.make(), coalescePages: 0 }
const empty: ReadonlyArray<number> = []

describe("blocks as a target", () => {
  it.effect("take pages, and give the rest of the machine when they are complete", () =>
    Effect.gen(function* () {
      const memory = new Uint8Array(2 * PAGE).fill(0xee)
      const block = yield* MemoryPages.make({ idstr: "ram", memory })
      const writer = yield* BlocksTarget.make([block]).begin(header(2 * PAGE), transfer)
      const sink = (yield* writer.openSinks).get("ram")
      const bytes = new Uint8Array(PAGE).fill(5)
      sink?.view?.(0, PAGE).set(bytes)
      yield* sink!.store({ extents: [{ offset: 0, bytes }], normal: [0, 1], zero: empty, gaps: empty })
      const state = yield* writer.endRam({ early: Uint8Array.of(2), switchoverStart: true, footers: false })
      yield* state.write(Uint8Array.of(7, 8, 0))
      yield* state.write(Uint8Array.of(123, 125))
      assert.deepStrictEqual(yield* ByteSource.read(yield* state.written), Uint8Array.of(7, 8, 0, 123, 125))
      const layout = { deviceState: { position: 0, length: 2 }, description: { position: 3, length: 2 } }
      const { sync } = yield* state.finish(layout)
      assert.strictEqual(memory[PAGE], 0xee, "what was never mentioned is cleared before the commit")
      const { commit } = yield* sync
      const machine = yield* commit
      assert.isTrue(memory.subarray(0, PAGE).every((byte) => byte === 5))
      assert.isTrue(memory.subarray(PAGE).every((byte) => byte === 0))
      assert.deepInclude(machine, { switchoverStart: true, footers: false, ramSectionId: 3 })
      assert.deepStrictEqual(yield* ByteSource.read(machine.deviceState), Uint8Array.of(7, 8))
      assert.deepStrictEqual(yield* ByteSource.read(machine.description), Uint8Array.of(123, 125))
    }).pipe(Effect.scoped)
  )

  it.effect("are made of the shapes that the machine has", () =>
    Effect.gen(function* () {
      const target = BlocksTarget.make((shapes) =>
        Effect.forEach(shapes, ({ idstr, usedLength }) =>
          Effect.orDie(MemoryPages.make({ idstr, memory: new Uint8Array(usedLength) }))
        )
      )
      const writer = yield* target.begin(header(PAGE), transfer)
      assert.deepStrictEqual([...(yield* writer.openSinks).keys()], ["ram"])
    }).pipe(Effect.scoped)
  )

  it.effect("refuse a machine with other blocks", () =>
    Effect.gen(function* () {
      const memory = new Uint8Array(PAGE).fill(9)
      const target = BlocksTarget.make([yield* MemoryPages.make({ idstr: "ram", memory })])
      const error = yield* Effect.flip(target.begin(header(2 * PAGE), transfer))
      assert.instanceOf(error, Finding)
      assert.strictEqual(error.code, "block-list-mismatch")
      assert.isTrue(memory.every((byte) => byte === 9))
    }).pipe(Effect.scoped)
  )
})
