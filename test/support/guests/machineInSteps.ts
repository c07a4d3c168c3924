import { assert } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as DirtyTracker from "../../../src/ram/DirtyTracker.ts"
import type * as Live from "../../../src/snapshot/Live.ts"
import * as MemoryPages from "../../../src/ram/MemoryPages.ts"
import type * as RamBlock from "../../../src/ram/RamBlock.ts"

/**
 * A machine that writes when its pages are read, the first few times, and when it is told to stop: nothing of it depends on
 * time. Pages are dirty behind each of at most four rounds, one of them turns zero, and one is written to at the very last.
 */
export const make = Effect.fnUntraced(function* ({ maxRounds = 4 }: { readonly maxRounds?: number } = {}) {
  const memory = new Uint8Array(8 * 4096).fill(3, 0, 6 * 4096)
  const ram = yield* MemoryPages.make({ idstr: "pc.ram", memory })
  const tracker = yield* DirtyTracker.marking([ram])
  const heard: Array<string> = []
  let reads = 0
  let running = true
  const write = (page: number, value: number): void => {
    memory.fill(value, page * 4096, (page + 1) * 4096)
    tracker.markDirty("pc.ram", page * 4096, 4096)
  }
  const view = (offset: number, length: number): Uint8Array => {
    if (running && reads < 6) write(reads % 3, reads++ % 4)
    return memory.subarray(offset, offset + length)
  }
  const block: RamBlock.Readable = { ...ram, reader: { ...ram.reader, view } }
  const live: Live.Options = {
    tracker,
    downtimeLimit: 0,
    maxRounds,
    pause: Effect.sync(() => {
      heard.push("pause")
      write(5, 9)
      running = false
    }),
    resume: Effect.sync(() => {
      heard.push("resume")
      running = true
    }),
    beforeSwitchover: Effect.sync(() => void heard.push("switchover")),
    throttle: {
      trigger: 1,
      set: (percentage) => Effect.sync(() => void heard.push(`throttle ${percentage}`))
    }
  }
  return { block, live, memory, heard }
})

/** The machine runs on as fast as before, having been let go on once at most. */
export const checkRunning = ({ heard }: { readonly heard: ReadonlyArray<string> }, place: string): void => {
  const throttle = heard.findLast((word) => word.startsWith("throttle"))
  assert.notStrictEqual(throttle, "throttle 20", place)
  // A pause that did not get far may have stopped nothing yet.
  const resumes = heard.filter((word) => word === "resume").length
  assert.isAtLeast(resumes, heard.includes("pause") ? 1 : 0, place)
  assert.isAtMost(resumes, 1, place)
}
