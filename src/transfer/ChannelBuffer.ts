import * as AlignedMemory from "../io/files/AlignedMemory.ts"

/**
 * A channel's own memory, fit for direct I/O: made at the first call, when the first batch turns out to need it, and used
 * for one batch after the other.
 *
 * @internal
 */
export const makeBuffer = (): ((length: number) => Uint8Array) => {
  let memory = AlignedMemory.make(0)
  return (length) => {
    if (memory.length < length) memory = AlignedMemory.make(length)
    return memory.subarray(0, length)
  }
}
