import { assert, describe, it, vi } from "@effect/vitest"
import { StreamWindow } from "../../../../src/format/stream/internal/streamWindow.ts"

describe("StreamWindow", () => {
  it("moves nothing while bytes come one at a time and all of them are still needed", () => {
    const window = new StreamWindow(8)
    const moved = vi.spyOn(Uint8Array.prototype, "set")
    for (let at = 0; at < 1000; at++) {
      window.space(0)[0] = at
      window.end++
    }
    // From 8 to 1024, and nothing in between.
    assert.strictEqual(moved.mock.calls.length, 7)
    moved.mockRestore()
    assert.deepStrictEqual(
      window.from(0),
      Uint8Array.from({ length: 1000 }, (_, at) => at)
    )
  })
})
