/**
 * A compressor's own memory, made when it is first needed and used for one packet after the other. It is as large as the
 * largest packet that its own side asked for.
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
 * Copies runs of pages one behind the other.
 *
 * @internal
 */
export const gather = (runs: ReadonlyArray<Uint8Array>, memory: (length: number) => Uint8Array): Uint8Array => {
  const all = memory(runs.reduce((total, run) => total + run.length, 0))
  copyParts(runs, all, 0)
  return all
}

/**
 * Copies parts one behind the other to a position, and gives the position behind the last.
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
