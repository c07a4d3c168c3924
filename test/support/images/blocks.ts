/**
 * Page regions on a disk in memory, without the stream around them.
 */
import { assert } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type * as Stream from "effect/Stream"
import * as Job from "../../../src/transfer/Job.ts"
import * as MemoryPages from "../../../src/ram/MemoryPages.ts"
import * as PageBitmap from "../../../src/ram/PageBitmap.ts"
import type * as RamBlock from "../../../src/ram/RamBlock.ts"
import * as RamScanner from "../../../src/ram/RamScanner.ts"
import * as ZeroPages from "../../../src/ram/ZeroPages.ts"

export const path = "/image"

/** Where page 0 of the only block lies; what is in front belongs to others. */
export const pagesOffset = 8192

/** A byte that no generated page consists of. */
export const stale = 0xee

export interface Shape {
  readonly idstr: string
  readonly pageSize: number
}

/** Which pages hold anything. */
export const bitmapOf = (memory: Uint8Array, pageSize: number): PageBitmap.PageBitmap => {
  const bitmap = PageBitmap.make(memory.length / pageSize)
  for (let page = 0; page < bitmap.pages; page++) {
    if (!ZeroPages.isZero(memory, page * pageSize, (page + 1) * pageSize)) bitmap.setRange(page, 1)
  }
  return bitmap
}

export const memoryBlock = ({ idstr, pageSize }: Shape, memory: Uint8Array) =>
  Effect.orDie(MemoryPages.make({ idstr, pageSize, memory }))

/** The same pages, as a file or an image offers them: without a view. */
export const storedBlock = ({ idstr, pageSize }: Shape, memory: Uint8Array): RamBlock.Readable => ({
  idstr,
  pageSize,
  usedLength: memory.length,
  reader: {
    present: undefined,
    view: undefined,
    readInto: (offset, target) =>
      Effect.sync(() => {
        assert.isAtMost(offset + target.length, memory.length)
        target.set(memory.subarray(offset, offset + target.length))
      })
  }
})

/** One round over the whole block. */
export const round = <E>(block: RamBlock.Readable<E>, batchSize: number): Stream.Stream<Job.Job<E>> =>
  Job.round(RamScanner.scan([block], { batchSize }))
