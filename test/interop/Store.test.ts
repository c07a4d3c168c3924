import { assert } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Capture from "../../src/qemu/Capture.ts"
import * as QmpCommands from "../../src/qemu/QmpCommands.ts"
import * as Resume from "../../src/qemu/Resume.ts"
import * as Check from "../../src/store/Check.ts"
import * as DirectoryObjects from "../../src/store/DirectoryObjects.ts"
import * as Repository from "../../src/store/Repository.ts"
import type { Secret } from "../../src/store/RepositoryKeys.ts"
import * as Retention from "../../src/store/Retention.ts"
import * as StoreSource from "../../src/store/StoreSource.ts"
import * as StoreTarget from "../../src/store/StoreTarget.ts"
import { itGuest } from "../support/qemu/it.ts"
import * as Machine from "../support/qemu/machine.ts"
import { describeQemu } from "../support/qemu/suite.ts"
import * as Workload from "../support/qemu/workload.ts"

const key: Secret = { _tag: "KeyFile", bytes: new Uint8Array(32).fill(4) }

describeQemu("a store of snapshots", () => {
  for (const secret of [undefined, key]) {
    for (const channels of [0, 4]) {
      const name = `${secret === undefined ? "not encrypted" : "encrypted"}, ${channels} channels`
      itGuest(
        `${name}: a guest at work is captured again and again, and resumed from what is left`,
        function* (vm, space) {
          const objects = DirectoryObjects.layer(space.file("store"))
          yield* Effect.gen(function* () {
            yield* Repository.init({ secret })
            const repository = yield* Repository.open(secret)
            const captured: Array<StoreTarget.Committed> = []
            for (const live of [true, true, false, true]) {
              const target = StoreTarget.make(repository, { vm: "guest" })
              captured.push((yield* Capture.run({ qmp: vm.qmp, target, live, channels })).value)
              yield* Machine.goesOn(vm)
            }
            const [oldest = "", second] = captured.map(({ snapshot }) => snapshot)
            assert.strictEqual(captured[1]?.parent, oldest)
            assert.strictEqual(captured[2]?.parent, second)
            assert.isAbove(captured[1]?.pagesKnown ?? 0, 0)
            yield* Retention.forget(repository, oldest)
            assert.deepInclude(yield* Retention.prune(repository, { graceSeconds: 0 }), { pruned: [oldest] })
            const report = yield* Check.check(repository)
            assert.deepInclude(report, { snapshots: 3, damages: [] })

            for (const [index, { snapshot }] of captured.slice(1).entries()) {
              const fresh = yield* Machine.start(space, { name: `fresh-${index}`, incoming: true })
              const source = yield* StoreSource.open(repository, snapshot)
              const resumed = yield* Resume.run({ qmp: fresh.qmp, source, channels })
              assert.strictEqual(resumed.runState, "running")
              yield* Machine.goesOn(fresh)
              yield* QmpCommands.stop(fresh.qmp)
              assert.doesNotThrow(() => Workload.position(fresh.ram, Machine.END))
            }
          }).pipe(Effect.provide(objects))
        }
      )
    }
  }
})
