/**
 * Files for parsers: mostly holes, in memory.
 */
import * as Parser from "../../../src/format/Parser.ts"
import type { Piece } from "../../../src/format/image/ImageStream.ts"

/** Bytes at some positions of a file, and zeros between them. */
export interface SparseFile {
  readonly pieces: ReadonlyArray<Piece>
  readonly size: number
}

const endOf = ({ bytes, position }: Piece): number => position + bytes.length

/** A file that ends where its last piece does. */
export const make = (pieces: ReadonlyArray<Piece>): SparseFile => ({
  pieces,
  size: Math.max(0, ...pieces.map(endOf))
})

/** A file with one piece, at its start. */
export const fromBytes = (bytes: Uint8Array): SparseFile => make([{ position: 0, bytes }])

/** Up to `length` bytes; fewer where the file ends. Later pieces lie on top of earlier ones. */
export const read = ({ pieces, size }: SparseFile, position: number, length: number): Uint8Array => {
  const target = new Uint8Array(Math.max(0, Math.min(length, size - position)))
  for (const piece of pieces) {
    const from = Math.max(position, piece.position)
    const to = Math.min(position + target.length, endOf(piece))
    if (from < to) target.set(piece.bytes.subarray(from - piece.position, to - piece.position), from - position)
  }
  return target
}

/** The same file with other bytes somewhere. */
export const patch = (file: SparseFile, position: number, bytes: Uint8Array): SparseFile => {
  const pieces = [...file.pieces, { position, bytes }]
  return { pieces, size: Math.max(file.size, position + bytes.length) }
}

/** The same file, ending earlier. */
export const cut = (file: SparseFile, size: number): SparseFile => ({ ...file, size })

/** Runs a parser over a file and holds it to its promises: bounded demands at sane positions, a bounded number. */
export const run = <A>(parser: Parser.Parser<A>, file: SparseFile, maxDemands = 10_000): A => {
  let step = parser.next()
  for (let demands = 0; step.done !== true; demands++) {
    const { length, position } = step.value
    if (demands === maxDemands) throw new Error(`more than ${maxDemands} demands`)
    if (!Number.isSafeInteger(position) || position < 0) throw new Error(`a demand at ${position}`)
    if (!Number.isInteger(length) || length < 1 || length > Parser.MAX_READ_BYTES) {
      throw new Error(`a demand of ${length} bytes`)
    }
    step = parser.next(read(file, position, length))
  }
  return step.value
}
