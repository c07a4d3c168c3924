/**
 * Memory and device state of a machine that runs in this process: saved and loaded with one call each.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import type { DeviceSectionError } from "../format/devices/DeviceState.ts"
import type { FileError } from "../io/files/FileError.ts"
import * as Image from "../image/Image.ts"
import type { ImageError } from "../image/ImageError.ts"
import type { SealKeyError, VerifyOptions } from "../image/Integrity.ts"
import type { Location } from "../image/Location.ts"
import * as Migration from "../migration/Migration.ts"
import * as Problem from "../ram/Problem.ts"
import * as MemoryPages from "../ram/MemoryPages.ts"
import type * as RamBlock from "../ram/RamBlock.ts"
import * as MachineState from "../snapshot/MachineState.ts"
import { type MigrationRequestError, refuse } from "../snapshot/MigrationRequestError.ts"

type Memory = MemoryPages.Options["memory"]

/** The block name of a memory that is given without one. */
const DEFAULT_BLOCK = "ram"

/**
 * Memory of this process, device state, and options for saving them.
 *
 * @stability stable
 * @category models
 * @since 0.1.0
 */
export interface SaveMemoryOptions extends Omit<Migration.WriteOptions, "target"> {
  /** One memory, which becomes the block `ram`, or memories by block name. */
  readonly ram: Memory | Readonly<Record<string, Memory>>
  /** Bytes of each device, by name. Default: none. */
  readonly devices?: Readonly<Record<string, Uint8Array>> | undefined
  /** The machine type in the image. Default `none`. */
  readonly machine?: string | undefined
}

/**
 * Options of loading memory.
 *
 * @stability stable
 * @category models
 * @since 0.1.0
 */
export interface LoadMemoryOptions extends Omit<Migration.TransferOptions, "directIo">, VerifyOptions {
  /** Memory to fill: a single one for an image with one block, or memories by block name. Default: new memory. */
  readonly into?: Memory | Readonly<Record<string, Memory>> | undefined
  /** Most bytes of new memory, over all blocks. Default 4 GiB. */
  readonly maxRam?: number | undefined
}

/**
 * The loaded memory and device state.
 *
 * @stability stable
 * @category models
 * @since 0.1.0
 */
export interface LoadedMemory {
  /** The machine type in the image. */
  readonly machine: string | undefined
  /** New memory by block name; empty if `into` was given. */
  readonly ram: Readonly<Record<string, Uint8Array>>
  /** Bytes of each device, by name; if several devices have the same name, those of the first. */
  readonly devices: Readonly<Record<string, Uint8Array>>
}

const GIB = 2 ** 30
const DEFAULT_MAX_RAM = 4 * GIB

const isRecord = (ram: Memory | Readonly<Record<string, Memory>>): ram is Readonly<Record<string, Memory>> =>
  Object.getPrototypeOf(ram) === Object.prototype

const entriesOf = (ram: Memory | Readonly<Record<string, Memory>>, alone: string): ReadonlyArray<[string, Memory]> =>
  isRecord(ram) ? Object.entries(ram) : [[alone, ram]]

const blocksOf = (entries: ReadonlyArray<readonly [string, Memory]>, fresh: boolean) =>
  Effect.forEach(entries, ([idstr, memory]) => MemoryPages.make({ idstr, memory, fresh }))

/**
 * Saves memory of this process, and the state of its devices, into an image.
 *
 * **When to use**
 *
 * For emulators whose machine is stopped. `Migration` saves files, devices, and memory that changes during the save.
 *
 * **Failure effect**: that of `Migration.save`: the target is unchanged.
 *
 * **Example** (An emulator's machine)
 *
 * ```ts
 * import { Image } from "effect-multifd"
 *
 * const memory = new Uint8Array(1024 * 1024)
 * export const saved = Image.save("machine.img", { ram: memory, devices: { cpu: new Uint8Array(64) } })
 * ```
 *
 * @see load
 * @stability stable
 * @category running
 * @since 0.1.0
 */
export const save = Effect.fn("Image.save")(function* (
  target: string | Location,
  { devices = {}, machine, ram, ...options }: SaveMemoryOptions
): Effect.fn.Return<Migration.Summary, Migration.MigrationError | DeviceSectionError> {
  const sections = Object.entries(devices).map(([name, data]) => ({ name, instanceId: 0, version: 1, data }))
  return yield* Migration.make.save({
    ...options,
    target,
    blocks: yield* blocksOf(entriesOf(ram, DEFAULT_BLOCK), false),
    machineState: yield* MachineState.fromSections({ machine, sections })
  })
})

/** New memory for the blocks of an image, which may claim any size. */
const newMemory = Effect.fnUntraced(function* (
  blocks: ReadonlyArray<RamBlock.Shape>,
  maxRam: number
): Effect.fn.Return<Readonly<Record<string, Uint8Array>>, MigrationRequestError> {
  const total = blocks.reduce((sum, { usedLength }) => sum + usedLength, 0)
  if (total > maxRam) {
    return yield* Effect.flatMap(
      refuse("restore", [
        Problem.make(
          `the image has ${total} bytes of RAM, and maxRam is ${maxRam}`,
          "raise maxRam, or pass memory in `into`"
        )
      ]),
      () => Effect.never
    )
  }
  return Object.fromEntries(blocks.map(({ idstr, usedLength }) => [idstr, new Uint8Array(usedLength)]))
})

/**
 * Loads an image into memory of this process. Pages are verified if the image is sealed.
 *
 * **Failure effect**: an image that does not fit is refused before any memory is touched; after that, each page of
 * `into` may have its old content or the image's.
 *
 * **Example** (Into new memory)
 *
 * ```ts
 * import * as Effect from "effect/Effect"
 * import { Image } from "effect-multifd"
 *
 * export const machine = Effect.map(Image.load("machine.img"), ({ ram, devices }) => ({
 *   memory: ram["ram"],
 *   cpu: devices["cpu"]
 * }))
 * ```
 *
 * @see save
 * @stability stable
 * @category running
 * @since 0.1.0
 */
export const load = Effect.fn("Image.load")(function* (
  source: string | Location,
  { into, key, maxRam = DEFAULT_MAX_RAM, verify, ...options }: LoadMemoryOptions = {}
): Effect.fn.Return<LoadedMemory, Migration.MigrationError | ImageError | FileError | SealKeyError> {
  return yield* Effect.scoped(
    Effect.gen(function* () {
      const image = yield* Image.open(source, { key, verify })
      const withPages = image.blocks.filter(({ ignored }) => !ignored)
      const ram = into === undefined ? yield* newMemory(withPages, maxRam) : {}
      const entries = into === undefined ? Object.entries(ram) : entriesOf(into, withPages[0]?.idstr ?? DEFAULT_BLOCK)
      const blocks = yield* blocksOf(entries, into === undefined)
      yield* Migration.make.restore({ ...options, source: image, blocks })
      const sections = image.deviceSections.toReversed().map(({ data, name }) => [name, data.slice()] as const)
      return { machine: image.machine, ram, devices: Object.fromEntries(sections) }
    })
  )
})
