/**
 * A guest program without an operating system: a boot sector that dirties memory for ever, in a way that shows afterwards
 * whether RAM was captured as it was at one moment.
 *
 *     repeat:  round += 1
 *              for each pair of pages from FIRST to the end:
 *                  page 2k:    the first word += 1         never zero again
 *                  page 2k+1:  the first word ^= FLIP      zero in every other round: the odd k when the even are not
 */
import * as Effect from "effect/Effect"
import * as Fs from "node:fs"
import * as Files from "./files.ts"

const PAGE = 4096
const LOADED_AT = 0x7c00
const ROUND_AT = 0x8000
const FLIP = 0x5a5a5a5a

/** Guest-physical address of the first page that the program touches. */
export const FIRST = 1024 * 1024

const u16 = (value: number): ReadonlyArray<number> => [value & 0xff, value >> 8]
const u32 = (value: number): ReadonlyArray<number> => [...u16(value & 0xffff), ...u16(value >>> 16)]

/** `jb` and `jmp` to a place that many bytes before the end of the instruction. */
const back = (opcode: number, bytes: number): ReadonlyArray<number> => [opcode, 256 - bytes]

const pairLoop = (end: number): ReadonlyArray<number> => {
  const body = [
    [0xff, 0x07], //                                   inc dword [edi]
    [0x81, 0xb7, ...u32(PAGE), ...u32(FLIP)], //       xor dword [edi + PAGE], FLIP
    [0x81, 0xc7, ...u32(2 * PAGE)], //                 add edi, 2 * PAGE
    [0x81, 0xff, ...u32(end)] //                       cmp edi, end
  ].flat()
  return [...body, ...back(0x72, body.length + 2)] //  jb to the beginning
}

const protectedMode = (end: number): ReadonlyArray<number> => {
  const round = [
    [0xff, 0x05, ...u32(ROUND_AT)], //                 inc dword [ROUND_AT]
    [0xbf, ...u32(FIRST)], //                          mov edi, FIRST
    pairLoop(end)
  ].flat()
  const dataSegment = [0x66, 0xb8, ...u16(0x10), 0x8e, 0xd8] // mov ax, 0x10; mov ds, ax
  return [...dataSegment, ...round, ...back(0xeb, round.length + 2)] // jmp to the round
}

/** Null, flat code (selector 0x08), flat data (selector 0x10). */
const GDT = [
  [0, 0, 0, 0, 0, 0, 0, 0],
  [0xff, 0xff, 0, 0, 0, 0x9a, 0xcf, 0],
  [0xff, 0xff, 0, 0, 0, 0x92, 0xcf, 0]
].flat()

/** The length of the 16-bit part, which ends in a far jump to what follows it. */
const REAL_MODE_LENGTH = 29

const realMode = (gdtDescriptor: number): ReadonlyArray<number> =>
  [
    [0xfa], //                                         cli
    [0x31, 0xc0, 0x8e, 0xd8], //                       xor ax, ax; mov ds, ax
    [0xe4, 0x92, 0x0c, 0x02, 0xe6, 0x92], //           in al, 0x92; or al, 2; out 0x92, al: the A20 line
    [0x0f, 0x01, 0x16, ...u16(gdtDescriptor)], //      lgdt [gdtDescriptor]
    [0x0f, 0x20, 0xc0, 0x0c, 0x01, 0x0f, 0x22, 0xc0], // mov eax, cr0; or al, 1; mov cr0, eax
    [0xea, ...u16(LOADED_AT + REAL_MODE_LENGTH), ...u16(0x08)] // jmp 0x08:protectedMode
  ].flat()

/** A boot sector that runs a program in 32-bit protected mode, with a flat code segment. */
const bootSector = (program: ReadonlyArray<number>): Buffer => {
  const gdt = LOADED_AT + REAL_MODE_LENGTH + program.length
  const descriptor = [...u16(GDT.length - 1), ...u32(gdt)]
  const sector = Buffer.alloc(512)
  sector.set([...realMode(gdt + GDT.length), ...program, ...GDT, ...descriptor])
  sector.set([0x55, 0xaa], 510)
  return sector
}

/**
 * Writes a disk image that runs the program over the guest's memory from `FIRST` up to `end`, both multiples of 8 KiB. Firmware reads
 * a disk of one sector (the default) over IDE, and finds nothing on it over virtio.
 */
export const writeDisk = (path: string, end: number, size = 512): void => writeProgram(path, protectedMode(end), size)

/** Writes a disk image that runs any program in 32-bit protected mode; the selector of flat data is 0x10. */
export const writeProgram = (path: string, program: ReadonlyArray<number>, size = 512): void => {
  Fs.writeFileSync(path, bootSector(program), { flag: "wx" })
  Fs.truncateSync(path, size)
}

/** The word that a pair of pages, at this distance from the first, has to flip before the program runs. */
const initialFlip = (at: number): number => ((at / PAGE) % 4 === 0 ? FLIP : 0)

/** Writes the words to flip into memory that is zero. */
export const fillMemory = (path: string, end: number): void => {
  const flipped = Buffer.alloc(end - FIRST)
  for (let at = 0; at < flipped.length; at += 2 * PAGE) flipped.writeUInt32LE(initialFlip(at), at + PAGE)
  Files.patch(path, [{ position: FIRST, bytes: flipped }])
}

/** Writes the memory of a guest that is to run the program over it up to `end`, zero but for the words to flip. */
export const writeMemory = (path: string, size: number, end: number): void => {
  Fs.writeFileSync(path, "", { flag: "wx" })
  Fs.truncateSync(path, size)
  fillMemory(path, end)
}

/** How many rounds the program has begun, read from the guest's main memory. */
export const round = (ramFile: string): number => Files.read(ramFile, ROUND_AT, 4).readUInt32LE()

/** Waits until the guest has begun more than `rounds` rounds. */
export const reach = (ramFile: string, rounds: number): Effect.Effect<void> =>
  Effect.suspend(() => (round(ramFile) > rounds ? Effect.void : Effect.delay(reach(ramFile, rounds), "10 millis")))

/** What stands in the page to flip of a pair after so many rounds. */
const flipAfter = (rounds: number, at: number): number => (initialFlip(at) ^ (rounds % 2 === 0 ? 0 : FLIP)) >>> 0

/**
 * The number of the page up to which the current round has come, for memory from `writeMemory`; fails when there is no
 * moment at which memory looked like this.
 */
export const position = (ramFile: string, end: number): number => {
  const memory = Files.read(ramFile, FIRST, end - FIRST)
  const current = round(ramFile)
  let pair = 0
  while (pair < memory.length && memory.readUInt32LE(pair) === current) pair += 2 * PAGE
  for (let at = 0; at < memory.length; at += 2 * PAGE) {
    const rounds = at < pair ? current : current - 1
    // The guest may have been stopped between the two pages of its last pair.
    const isFlipped = memory.readUInt32LE(at + PAGE) === flipAfter(rounds, at) || at === pair - 2 * PAGE
    if (memory.readUInt32LE(at) !== rounds || !isFlipped) throw new Error(`page ${at / PAGE}: torn in round ${current}`)
  }
  return pair / PAGE
}
