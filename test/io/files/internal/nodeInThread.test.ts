import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Os from "node:os"
import { nodeInThread } from "../../../../src/io/files/internal/nodeInThread.ts"

const suits = (path: string) =>
  Effect.callback<boolean>((resume) => nodeInThread.suits(path, (answer) => resume(Effect.succeed(answer))))

describe("nodeInThread", () => {
  it.effect.skipIf(process.platform !== "linux")("suits files in memory, where there are few processors", () =>
    Effect.gen(function* () {
      assert.strictEqual(yield* suits("/dev/shm"), Os.availableParallelism() <= 2)
      assert.isFalse(yield* suits("/proc/self/exe"))
      assert.isFalse(yield* suits("/nowhere/at/all"))
    })
  )
})
