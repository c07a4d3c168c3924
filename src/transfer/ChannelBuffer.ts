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

/**
 * Two such memories, so that one can be filled while the other is still in use.
 *
 * @internal
 */
export interface BufferPair {
  /** The memory whose turn it is. */
  readonly take: (length: number) => Uint8Array
  /** Makes it the other one's turn. */
  readonly swap: () => void
}

/**
 * Makes a pair; each memory is allocated when it is first taken.
 *
 * @internal
 */
export const makeBufferPair = (): BufferPair => {
  let [buffer, other] = [makeBuffer(), makeBuffer()]
  return {
    take: (length) => buffer(length),
    swap: () => {
      ;[buffer, other] = [other, buffer]
    }
  }
}
