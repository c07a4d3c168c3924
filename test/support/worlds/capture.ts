/** A network and a disk for one test, of which nothing is left open in the end. */
import { assert, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as Migration from "../../../src/migration/Migration.ts"
import * as MemoryDisk from "../../../src/testing/MemoryDisk.ts"
import * as VirtualNetwork from "../../../src/testing/VirtualNetwork.ts"

/** The one file that is there from the beginning. */
export const OTHER = "/images/other"

/** A test in real time. */
export const test = (
  name: string,
  body: (disk: MemoryDisk.MemoryDisk) => Effect.Effect<void, unknown, Scope.Scope | Migration.Migration>,
  plan: ReadonlyArray<VirtualNetwork.Rule> = []
): void =>
  it.live(name, () =>
    Effect.gen(function* () {
      const network = yield* VirtualNetwork.make({ plan })
      const disk = MemoryDisk.make()
      disk.write(OTHER, new Uint8Array(1))
      yield* Effect.scoped(body(disk)).pipe(Effect.provide([network.layer, disk.layer, Migration.layer]))
      assert.strictEqual(network.openEnds(), 0)
      assert.deepStrictEqual(network.listening(), [])
      assert.deepStrictEqual(disk.openFiles(), [])
    })
  )
