/**
 * Comparing, copying and patching the files of a test.
 */
import * as Fs from "node:fs"

const STEP = 1024 * 1024

/** Bytes of a file; shorter where the file ends. */
export const read = (path: string, position: number, length: number): Buffer => {
  const fd = Fs.openSync(path, "r")
  try {
    const bytes = Buffer.alloc(length)
    return bytes.subarray(0, Fs.readSync(fd, bytes, 0, length, position))
  } finally {
    Fs.closeSync(fd)
  }
}

const differenceIn = (a: Buffer, b: Buffer): number => {
  const length = Math.min(a.length, b.length)
  for (let i = 0; i < length; i++) if (a[i] !== b[i]) return i
  return length
}

/** Where two files first differ, as an offset; `undefined` when they are equal to the last byte. */
export const firstDifference = (pathA: string, pathB: string): number | undefined => {
  const [a, b] = [Fs.openSync(pathA, "r"), Fs.openSync(pathB, "r")]
  const [pieceA, pieceB] = [Buffer.alloc(STEP), Buffer.alloc(STEP)]
  try {
    for (let at = 0; ; at += STEP) {
      const partA = pieceA.subarray(0, Fs.readSync(a, pieceA, 0, STEP, at))
      const partB = pieceB.subarray(0, Fs.readSync(b, pieceB, 0, STEP, at))
      if (!partA.equals(partB)) return at + differenceIn(partA, partB)
      if (partA.length < STEP) return undefined
    }
  } finally {
    Fs.closeSync(a)
    Fs.closeSync(b)
  }
}

/** Bytes to put at a position of a file. */
export interface Patch {
  readonly position: number
  readonly bytes: Uint8Array
}

/** Overwrites bytes of a file where they are. */
export const patch = (path: string, patches: ReadonlyArray<Patch>): void => {
  const fd = Fs.openSync(path, "r+")
  try {
    for (const { position, bytes } of patches) Fs.writeSync(fd, bytes, 0, bytes.length, position)
  } finally {
    Fs.closeSync(fd)
  }
}

/** The bytes that a file occupies, which for a sparse one are fewer than its length. */
export const allocated = (path: string): number => Fs.statSync(path).blocks * 512
