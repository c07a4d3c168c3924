/**
 * The files that a benchmark works on, and how they are compared.
 */
import * as Effect from "effect/Effect"
import * as Fs from "node:fs"
import * as Pattern from "../support/qemu/pattern.ts"
import { BenchError } from "./worker.ts"

const MIB = 1024 * 1024
const PAGE = 4096
const ZEROS = Buffer.alloc(PAGE)

/** RAM in a file. */
export interface RamFile {
  readonly path: string
  readonly size: number
  /** Fails unless the bytes at an offset of another file are the RAM; `from` leaves out the first bytes of RAM. */
  readonly compare: (path: string, offset: number, from?: number) => Effect.Effect<void, BenchError>
}

/** Where a block lies in an image. */
export interface ImagePlace {
  readonly path: string
  readonly bitmapOffset: number
  readonly pagesOffset: number
}

const firstDifference = (a: number, b: number, offset: number, from: number, size: number): number | undefined => {
  const [pieceA, pieceB] = [Buffer.alloc(MIB), Buffer.alloc(MIB)]
  for (let at = from; at < size; at += MIB) {
    const length = Math.min(MIB, size - at)
    Fs.readSync(a, pieceA, 0, length, at)
    if (Fs.readSync(b, pieceB, 0, length, offset + at) < length) return at
    if (pieceA.compare(pieceB, 0, length, 0, length) !== 0) return at
  }
  return undefined
}

const withFiles = <A>(paths: ReadonlyArray<string>, f: (...descriptors: ReadonlyArray<number>) => A): A => {
  const descriptors = paths.map((path) => Fs.openSync(path, "r"))
  try {
    return f(...descriptors)
  } finally {
    descriptors.forEach((fd) => Fs.closeSync(fd))
  }
}

/** Writes RAM of a pattern to a new file. */
export const makeRam = (path: string, pattern: Pattern.Pattern, size: number): RamFile => {
  Pattern.writeFile(path, pattern, size)
  return {
    path,
    size,
    compare: (other, offset, from = 0) =>
      Effect.suspend(() => {
        const at = withFiles([path, other], (a, b) => firstDifference(a!, b!, offset, from, size))
        if (at === undefined) return Effect.void
        return Effect.fail(new BenchError({ reason: `${other}: wrong bytes in the MiB at ${at} of RAM` }))
      })
  }
}

/** What stands in front of the two offsets: the block's entry and the first half of its mapped-ram header. */
const entryOf = (idstr: string, size: number): Buffer => {
  const entry = Buffer.alloc(1 + idstr.length + 8 + 4 + 8)
  entry.writeUInt8(idstr.length)
  entry.write(idstr, 1)
  entry.writeBigUInt64BE(BigInt(size), 1 + idstr.length)
  entry.writeUInt32BE(1, 1 + idstr.length + 8)
  entry.writeBigUInt64BE(BigInt(PAGE), 1 + idstr.length + 8 + 4)
  return entry
}

/** Where the first and largest block lies in an image, found without the project's own code. */
export const find = (path: string, idstr: string, size: number): Effect.Effect<ImagePlace, BenchError> =>
  Effect.suspend(() => {
    const head = Buffer.alloc(PAGE)
    withFiles([path], (fd) => Fs.readSync(fd!, head, 0, head.length, 0))
    const entry = entryOf(idstr, size)
    const at = head.indexOf(entry)
    if (at < 0) return Effect.fail(new BenchError({ reason: `${path}: no block ${idstr} of ${size} bytes` }))
    const offset = (index: number): number => Number(head.readBigUInt64BE(at + entry.length + 8 * index))
    return Effect.succeed({ path, bitmapOffset: offset(0), pagesOffset: offset(1) })
  })

const wrongBit = (ram: number, bitmap: Buffer, size: number): number | undefined => {
  const piece = Buffer.alloc(MIB)
  for (let at = 0; at < size; at += MIB) {
    const length = Fs.readSync(ram, piece, 0, MIB, at)
    for (let offset = 0; offset < length; offset += PAGE) {
      const page = (at + offset) / PAGE
      const isNormal = piece.compare(ZEROS, 0, PAGE, offset, offset + PAGE) !== 0
      if (isNormal !== (((bitmap[page >> 3]! >> (page & 7)) & 1) === 1)) return page
    }
  }
  return undefined
}

/** Fails unless an image holds the RAM: the bytes of its pages, and a bit for exactly those that are not zero. */
export const checkImage = (ram: RamFile, path: string, idstr: string): Effect.Effect<void, BenchError> =>
  Effect.gen(function* () {
    const place = yield* find(path, idstr, ram.size)
    const page = withFiles([ram.path, path], (fd, image) => {
      const bitmap = Buffer.alloc(ram.size / PAGE / 8)
      Fs.readSync(image!, bitmap, 0, bitmap.length, place.bitmapOffset)
      return wrongBit(fd!, bitmap, ram.size)
    })
    if (page !== undefined) return yield* new BenchError({ reason: `${path}: wrong bit of page ${page}` })
    yield* ram.compare(path, place.pagesOffset)
  })
