/**
 * A compressor's own memory, allocated on first use and reused for each packet. Its size is that of the largest packet
 * that its own side requested.
 *
 * @internal
 */
export const makeMemory = (): ((length: number) => Uint8Array) => {
  let memory = new Uint8Array(0)
  return (length) => {
    if (memory.length < length) memory = new Uint8Array(length)
    return memory.subarray(0, length)
  }
}

/**
 * Copies runs of pages into one contiguous buffer.
 *
 * @internal
 */
export const gather = (runs: ReadonlyArray<Uint8Array>, memory: (length: number) => Uint8Array): Uint8Array => {
  const all = memory(runs.reduce((total, run) => total + run.length, 0))
  copyParts(runs, all, 0)
  return all
}

/**
 * Copies parts to a position, one after another, and returns the position after the last.
 *
 * @internal
 */
export const copyParts = (parts: ReadonlyArray<Uint8Array>, target: Uint8Array, position: number): number => {
  let end = position
  for (const part of parts) {
    target.set(part, end)
    end += part.length
  }
  return end
}
