/**
 * A guest program that checks every word of its memory, for ever: what it finds wrong it counts.
 *
 *     repeat:  for each word from FIRST to `end`:
 *                  word = address ^ rounds?           errors += 1 unless it is
 *                  word := address ^ (rounds + 1)
 *              for each page from `end` to `size`:    one word, which must be zero and stays as it is
 *              rounds += 1
 */
import * as Effect from "effect/Effect"
import * as Fs from "node:fs"
import { assert } from "@effect/vitest"
import * as SocketAddress from "../../../src/io/sockets/SocketAddress.ts"
import * as Image from "../../../src/image/Image.ts"
import * as Capture from "../../../src/qemu/Capture.ts"
import * as QmpClient from "../../../src/qemu/QmpClient.ts"
import * as Files from "./files.ts"
import * as Guest from "./guest.ts"
import type * as Qemu from "./qemu.ts"
import type * as Workspace from "./workspace.ts"
import * as Workload from "./workload.ts"

const ROUNDS_AT = 0x8000
const ERRORS_AT = 0x8004
const PAGE = 4096

const u16 = (value: number): ReadonlyArray<number> => [value & 0xff, value >> 8]
const u32 = (value: number): ReadonlyArray<number> => [...u16(value & 0xffff), ...u16(value >>> 16)]

const wordLoop = (end: number): ReadonlyArray<number> => {
  const body = [
    [0x89, 0xf8], //                              mov eax, edi
    [0x31, 0xf0], //                              xor eax, esi
    [0x39, 0x07], //                              cmp [edi], eax
    [0x74, 0x06], //                              je over the next instruction
    [0xff, 0x05, ...u32(ERRORS_AT)], //           inc dword [ERRORS_AT]
    [0x8d, 0x46, 0x01], //                        lea eax, [esi + 1]
    [0x31, 0xf8], //                              xor eax, edi
    [0x89, 0x07], //                              mov [edi], eax
    [0x83, 0xc7, 0x04], //                        add edi, 4
    [0x81, 0xff, ...u32(end)] //                  cmp edi, end
  ].flat()
  return [...body, 0x72, 256 - (body.length + 2)] // jb to the beginning
}

const zeroLoop = (size: number): ReadonlyArray<number> => {
  const body = [
    [0x83, 0x3f, 0x00], //                        cmp dword [edi], 0
    [0x74, 0x06], //                              je over the next instruction
    [0xff, 0x05, ...u32(ERRORS_AT)], //           inc dword [ERRORS_AT]
    [0x81, 0xc7, ...u32(PAGE)], //                add edi, PAGE
    [0x81, 0xff, ...u32(size)] //                 cmp edi, size
  ].flat()
  return [...body, 0x72, 256 - (body.length + 2)] // jb to the beginning
}

const program = (end: number, size: number): ReadonlyArray<number> => {
  const round = [
    [0x8b, 0x35, ...u32(ROUNDS_AT)], //           mov esi, [ROUNDS_AT]
    [0xbf, ...u32(Workload.FIRST)], //            mov edi, FIRST
    wordLoop(end),
    ...(size > end ? [zeroLoop(size)] : []),
    [0xff, 0x05, ...u32(ROUNDS_AT)] //            inc dword [ROUNDS_AT]
  ].flat()
  const dataSegment = [0x66, 0xb8, ...u16(0x10), 0x8e, 0xd8]
  return [...dataSegment, ...round, 0xe9, ...u32(-(round.length + 5))]
}

/** Writes a disk image that runs the program; SeaBIOS's own place at the end of RAM is left out by `size`. */
export const writeDisk = (path: string, options: { readonly end: number; readonly size: number }, bytes = 512): void =>
  Workload.writeProgram(path, program(options.end, options.size), bytes)

/** Writes what the program finds in its first round. */
export const fillMemory = (ram: string, end: number): void => {
  const piece = Buffer.alloc(1024 * 1024)
  const file = Fs.openSync(ram, "r+")
  try {
    for (let at = Workload.FIRST; at < end; at += piece.length) {
      for (let word = 0; word < piece.length; word += 4) piece.writeUInt32LE(at + word, word)
      Fs.writeSync(file, piece, 0, Math.min(piece.length, end - at), at)
    }
  } finally {
    Fs.closeSync(file)
  }
}

/** Rounds that are over, and words that were wrong. */
export const read = (ram: string) => {
  const words = Files.read(ram, ROUNDS_AT, 8)
  return { rounds: words.readUInt32LE(0), errors: words.readUInt32LE(ERRORS_AT - ROUNDS_AT) }
}

/** Waits until more than so many rounds are over. */
export const reach = (ram: string, rounds: number): Effect.Effect<void> =>
  Effect.suspend(() => (read(ram).rounds > rounds ? Effect.void : Effect.delay(reach(ram, rounds), "10 millis")))

/** A guest that runs the program. */
export interface Options {
  readonly qemu: Qemu.Qemu
  readonly size: number
  readonly machine?: string
  readonly args?: ReadonlyArray<string>
  /** The file that is its RAM. Default: in memory. */
  readonly ram?: string
}

/** Half of the memory is full of words that are all different, the other half is zero. */
const endOf = (size: number) => size / 2

export const start = Effect.fnUntraced(function* (
  space: Workspace.Workspace,
  name: string,
  { args = [], machine, qemu, ram = space.ram(name), size }: Options,
  incoming: boolean
) {
  const [socket, disk] = [space.file(`${name}-qmp`), space.file(`${name}-disk`)]
  // The firmware keeps tables of its own behind that.
  writeDisk(disk, { end: endOf(size), size: (size * 5) / 8 })
  Fs.writeFileSync(ram, "")
  Fs.truncateSync(ram, size)
  if (!incoming) fillMemory(ram, endOf(size))
  const guest = yield* Guest.start({
    qemu,
    machine,
    ram: { file: ram, size },
    boot: disk,
    incoming,
    args: [
      "-cpu",
      "qemu64,kvmclock=off",
      ...["", "2", "3"].flatMap((n) => ["-qmp", `unix:${socket}${n},server=on,wait=off`]),
      ...args
    ]
  })
  return {
    guest,
    ram,
    socket2: `${socket}2`,
    socket3: `${socket}3`,
    qmp: yield* QmpClient.make({ address: SocketAddress.unix(socket) })
  }
})

/** An image of a guest in the middle of its check. */
export const captured = Effect.fnUntraced(function* (space: Workspace.Workspace, options: Options) {
  const { qmp, ram } = yield* start(space, "vm", options, false)
  // In its first round it finds what the firmware has written; from then on everything must be right.
  yield* reach(ram, 1)
  const { errors } = read(ram)
  yield* reach(ram, 2)
  yield* Capture.run({ qmp, target: space.file("image"), leave: "paused" })
  assert.strictEqual(read(ram).errors, errors)
  return { image: yield* Image.open(space.file("image")), errors }
})
