/**
 * What O_DIRECT wants memory to be aligned to; no device has larger blocks than pages of the CPU.
 */
const alignment = 4096

/**
 * Memory that is known to be page aligned. An ordinary `ArrayBuffer` lies 16 bytes behind a page boundary; resizable and
 * growable buffers are mapped and begin at one.
 *
 * @internal
 */
export const isAligned = (bytes: Uint8Array): boolean => {
  const { buffer } = bytes
  const mapped = buffer instanceof ArrayBuffer ? buffer.resizable : buffer.growable
  return mapped && bytes.byteOffset % alignment === 0
}

/**
 * A channel's own memory, page aligned: made at the first call, when the first batch turns out to need it, and used for
 * one batch after the other.
 *
 * @internal
 */
export const makeBuffer = (): ((length: number) => Uint8Array) => {
  let memory = new ArrayBuffer(0)
  return (length) => {
    if (memory.byteLength < length) memory = new ArrayBuffer(length, { maxByteLength: length })
    return new Uint8Array(memory, 0, length)
  }
}
