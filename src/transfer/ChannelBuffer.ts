import * as AlignedMemory from "../io/files/AlignedMemory.ts"

/**
 * A channel's own memory, suitable for direct I/O. It is allocated on the first call, when a batch needs it, and reused
 * for each batch.
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
