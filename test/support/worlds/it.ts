/**
 * Tests on a disk, or on a disk and a network, that are in memory and are left with nothing open.
 */
import { assert, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as MemoryDisk from "../../../src/testing/MemoryDisk.ts"
import * as VirtualNetwork from "../../../src/testing/VirtualNetwork.ts"
import { whileTimePasses } from "../time.ts"

/** The body of a test: a generator as for `Effect.gen`. */
type Body<Given> = (given: Given) => Generator<Effect.Effect<unknown, unknown, Scope.Scope>, void, never>

export interface World {
  readonly disk: MemoryDisk.MemoryDisk
  readonly network: VirtualNetwork.VirtualNetwork
}

/** A test on a disk, whose files are closed in the end. */
export const itDisk = (title: string, body: Body<MemoryDisk.MemoryDisk>): void =>
  it.effect(title, () =>
    Effect.gen(function* () {
      const disk = MemoryDisk.make()
      yield* Effect.gen(() => body(disk)).pipe(Effect.scoped, Effect.provide(disk.layer))
      assert.deepStrictEqual(disk.openFiles(), [])
    })
  )

/** A test on a disk and a network, while time passes. */
export const itWorld = (title: string, body: Body<World>): void =>
  it.effect(title, () =>
    Effect.gen(function* () {
      const disk = MemoryDisk.make()
      const network = yield* VirtualNetwork.make()
      const test = Effect.scoped(Effect.gen(() => body({ disk, network })))
      yield* whileTimePasses(test).pipe(Effect.provide([disk.layer, network.layer]))
      assert.deepStrictEqual([network.openEnds(), network.listening(), disk.openFiles()], [0, [], []])
    })
  )
