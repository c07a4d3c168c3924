/**
 * Guest RAM with known content.
 */
import * as Crypto from "node:crypto"
import * as Fs from "node:fs"

const PAGE = 4096
const MIB = 1024 * 1024

/** What a guest's RAM looks like, by name. Equal name, size and seed give equal bytes. */
export type Pattern =
  /** No page is zero and nothing repeats. */
  | "random"
  /** The first half is random, the second half zero. */
  | "half-zero"
  /** Every other page is zero. */
  | "alternating"
  /** Nothing but zeros; the file is one hole. */
  | "zero"
  /** Words of English, as in a page cache full of logs and sources. */
  | "text"
  /** The pages of the program that runs this, without those that are zero. */
  | "program"
  /** Runs of 1 to 64 pages that are random, zero, or zero but for the page's first or last byte. */
  | "mixed"

/** Fills one piece of at most 1 MiB that holds zeros and begins at `offset` of `size` bytes. */
type Fill = (piece: Buffer, offset: number, size: number, random: Crypto.Cipheriv) => void

const ZEROS = Buffer.alloc(MIB)

const randomize = (piece: Buffer, random: Crypto.Cipheriv): void => {
  random.update(ZEROS.subarray(0, piece.length)).copy(piece)
}

const WORDS =
  "the kernel page cache of a guest holds logs sources libraries and documents error info debug GET POST".split(" ")

const fillText: Fill = (piece, _offset, _size, random) => {
  const choices = random.update(ZEROS.subarray(0, piece.length / 4))
  let at = 0
  for (const choice of choices) {
    if (at >= piece.length) return
    at += piece.write(`${WORDS[choice % WORDS.length]}${choice < 16 ? "\n" : " "}`, at, "latin1")
  }
}

/** Read when it is needed, and kept. */
let programPages: Buffer | undefined

const readProgram = (): Buffer => {
  const program = Fs.readFileSync(process.execPath)
  const pages = Array.from({ length: Math.floor(program.length / PAGE) }, (_, page) =>
    program.subarray(page * PAGE, (page + 1) * PAGE)
  )
  return Buffer.concat(pages.filter((page) => page.compare(ZEROS, 0, PAGE) !== 0))
}

const fillProgram: Fill = (piece, offset) => {
  programPages ??= readProgram()
  for (let at = 0; at < piece.length;) {
    at += programPages.copy(piece, at, (offset + at) % programPages.length)
  }
}

/** Sets one byte of each page. */
const touchPages = (piece: Buffer, byte: number): void => {
  for (let page = 0; page < piece.length; page += PAGE) piece[page + byte] = 1
}

const fillMixed: Fill = (piece, _offset, _size, random) => {
  const choices = random.update(ZEROS.subarray(0, 2 * (piece.length / PAGE)))
  let at = 0
  for (let i = 0; at < piece.length; i += 2) {
    const end = Math.min(piece.length, at + PAGE * (1 + (choices[i]! % 64)))
    const kind = choices[i + 1]! % 4
    if (kind === 0) randomize(piece.subarray(at, end), random)
    else if (kind === 2) touchPages(piece.subarray(at, end), 0)
    else if (kind === 3) touchPages(piece.subarray(at, end), PAGE - 1)
    at = end
  }
}

const fills: Record<Pattern, Fill> = {
  random: (piece, _offset, _size, random) => randomize(piece, random),
  "half-zero": (piece, offset, size, random) => {
    if (offset < size / 2) randomize(piece.subarray(0, Math.min(piece.length, size / 2 - offset)), random)
  },
  alternating: (piece, _offset, _size, random) => {
    randomize(piece, random)
    for (let page = PAGE; page < piece.length; page += 2 * PAGE) piece.fill(0, page, page + PAGE)
  },
  zero: () => {},
  text: fillText,
  program: fillProgram,
  mixed: fillMixed
}

/** Writes a new file of `size` bytes, a multiple of the page size; stretches of 1 MiB that are all zero stay holes. */
export const writeFile = (path: string, pattern: Pattern, size: number, seed = 1): void => {
  const random = Crypto.createCipheriv("aes-128-ctr", Buffer.alloc(16, seed), Buffer.alloc(16))
  const fd = Fs.openSync(path, "wx", 0o600)
  try {
    Fs.ftruncateSync(fd, size)
    for (let offset = 0; offset < size; offset += MIB) {
      const piece = Buffer.alloc(Math.min(MIB, size - offset))
      fills[pattern](piece, offset, size, random)
      if (piece.compare(ZEROS, 0, piece.length) !== 0) Fs.writeSync(fd, piece, 0, piece.length, offset)
    }
  } finally {
    Fs.closeSync(fd)
  }
}
