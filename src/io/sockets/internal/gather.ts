import * as Invariant from "../../../ram/Invariant.ts"

/** From this size, a separate read is faster than a copy: about 2.6 µs for a call, 0.15 µs per KiB. */
const worthItsOwnRead = 16 * 1024

/** Small targets are filled together, up to this many bytes. */
const stagingLength = 64 * 1024

/**
 * The memory that one read fills, and the targets that its bytes are copied to; none if the memory is a target itself.
 *
 * @internal
 */
export interface Piece {
  readonly memory: Uint8Array
  readonly targets: ReadonlyArray<Uint8Array>
}

const isBehind = (a: Uint8Array, b: Uint8Array): boolean =>
  a.buffer === b.buffer && a.byteOffset + a.byteLength === b.byteOffset

/** Joins neighbours in memory into one target. */
const joined = (targets: ReadonlyArray<Uint8Array>): ReadonlyArray<Uint8Array> => {
  const found: Array<Uint8Array> = []
  for (const target of targets) {
    const last = found.at(-1)
    if (last !== undefined && isBehind(last, target)) {
      found[found.length - 1] = new Uint8Array(last.buffer, last.byteOffset, last.byteLength + target.byteLength)
    } else found.push(target)
  }
  return found
}

/** The number of targets from `first` that are small and fit into the staging memory together. */
const countSmall = (targets: ReadonlyArray<Uint8Array>, first: number): number => {
  let bytes = 0
  for (let next = first; ; next++) {
    const length = targets[next]?.length ?? worthItsOwnRead
    bytes += length
    if (length >= worthItsOwnRead || bytes > stagingLength) return next - first
  }
}

const lengthOf = (targets: ReadonlyArray<Uint8Array>): number => targets.reduce((sum, { length }) => sum + length, 0)

/**
 * Turns targets into reads. Scattered pages would need one call each, which takes longer than copying them.
 *
 * @internal
 */
export const makeGather = (): ((targets: ReadonlyArray<Uint8Array>) => ReadonlyArray<Piece>) => {
  let staging: Uint8Array | undefined
  return (targets) => {
    const [only] = targets
    if (only !== undefined && targets.length === 1) return [{ memory: only, targets: [] }]
    const places = joined(targets)
    const pieces: Array<Piece> = []
    for (let at = 0; at < places.length;) {
      const count = countSmall(places, at)
      if (count < 2) pieces.push({ memory: Invariant.defined(places[at++], "a place is left"), targets: [] })
      else {
        const together = places.slice(at, (at += count))
        staging ??= new Uint8Array(stagingLength)
        pieces.push({ memory: staging.subarray(0, lengthOf(together)), targets: together })
      }
    }
    return pieces
  }
}

/**
 * Copies the bytes of a read to their targets.
 *
 * @internal
 */
export const scatter = ({ memory, targets }: Piece): void => {
  let at = 0
  for (const target of targets) target.set(memory.subarray(at, (at += target.length)))
}
