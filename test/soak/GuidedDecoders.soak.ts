/**
 * Decoders, given inputs that lead further and further into them: one that makes something run that never ran before is kept,
 * and what comes next is made of it.
 */
import { assert, describe, it } from "@effect/vitest"
import { decoders } from "../support/faults/decoders.ts"
import { isRefused } from "../support/faults/judge.ts"
import { nextInput, randomFrom } from "../support/faults/mutation.ts"
import { settings } from "../support/settings.ts"
import * as Reached from "./reached.ts"

/** Inputs between two looks at the counters. */
const BATCH = 1024
/** Inputs grow as they are spliced: longer ones are cut. */
const MAX_INPUT = 16 * 1024
const SHARES = 10_000

describe("decoders, guided by what runs", () => {
  for (const { decode, name, seeds, share } of decoders) {
    it(name, { timeout: 0 }, () => {
      const random = randomFrom(settings.guidedSeed)
      const reached = Reached.start()
      const kept: Array<Uint8Array> = [...seeds]
      for (const bytes of kept) isRefused(decode, bytes)
      reached.more()
      const first = reached.count()
      const ends = performance.now() + (settings.guidedSeconds * 1000 * share) / SHARES
      let cases = 0
      // Asking after each input would take most of the time: one half after the other, where there was anything.
      const keepNew = (batch: ReadonlyArray<Uint8Array>): void => {
        for (const input of batch) isRefused(decode, input)
        const found = reached.more()
        if (found.length === 0) return
        if (batch.length === 1) return void kept.push(batch[0]!)
        reached.forget(found)
        keepNew(batch.slice(0, batch.length / 2))
        keepNew(batch.slice(batch.length / 2))
      }
      while (performance.now() < ends) {
        keepNew(Array.from({ length: BATCH }, () => nextInput(kept, random).slice(0, MAX_INPUT)))
        cases += BATCH
      }
      reached.stop()
      console.log(
        `${name}: ${cases} cases, ${first} characters of the sources run by the seeds, ${reached.count()} now, ${kept.length} inputs kept`
      )
      assert.isAtLeast(reached.count(), first)
    })
  }
})
