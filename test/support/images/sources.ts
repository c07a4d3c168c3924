/** Machines at rest in the memory of the test, which know their present pages and remember what is read. */
import * as Effect from "effect/Effect"
import * as ByteSource from "../../../src/snapshot/ByteSource.ts"
import type { SnapshotSource } from "../../../src/snapshot/SnapshotSource.ts"
import * as PageBitmap from "../../../src/ram/PageBitmap.ts"
import { presentPages } from "../memory.ts"

const machineState: SnapshotSource["machineState"] = {
  configuration: undefined,
  prelude: new Uint8Array(0),
  early: new Uint8Array(0),
  switchoverStart: false,
  footers: true,
  ramSectionId: 0,
  deviceState: ByteSource.empty,
  description: ByteSource.empty,
  origin: undefined
}

/** A machine of blocks by name; pages of zeros are absent. */
export const machineOf = (
  blocks: Readonly<Record<string, Uint8Array>>,
  { pageSize = 4096, readUnit = 1 } = {}
): SnapshotSource & { readonly reads: ReadonlyArray<readonly [offset: number, length: number]> } => {
  const reads: Array<readonly [number, number]> = []
  return {
    name: "memory",
    machine: undefined,
    machineState,
    readUnit,
    reads,
    blocks: Object.entries(blocks).map(([idstr, bytes]) => {
      const present = PageBitmap.make(bytes.length / pageSize)
      for (const page of presentPages(bytes, pageSize)) present.setRange(page, 1)
      const readInto = (offset: number, target: Uint8Array) =>
        Effect.sync(() => {
          reads.push([offset, target.length])
          target.set(bytes.subarray(offset, offset + target.length))
        })
      return { idstr, usedLength: bytes.length, pageSize, reader: { present, view: undefined, readInto } }
    })
  }
}
