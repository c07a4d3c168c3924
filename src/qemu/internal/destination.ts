import * as Effect from "effect/Effect"
import * as ImageNotes from "../../format/seal/ImageNotes.ts"
import * as Uuid from "../../format/Uuid.ts"
import type { Image, ImageBlock } from "../../image/Image.ts"
import type { Client } from "../QmpClient.ts"
import * as QmpCommands from "../QmpCommands.ts"
import type { QmpError } from "../QmpError.ts"
import { ifAnswered, uuidOf } from "./identity.ts"

/**
 * What a QEMU that waits for a machine says of the machine that it was told to make. `undefined`: it does not answer that.
 *
 * @internal
 */
export interface Destination {
  /** 16 bytes, zeros where it has none. */
  readonly uuid: Uint8Array | undefined
  readonly cpus: number | undefined
  /** Bytes. */
  readonly memory: number
  readonly blocks: ReadonlyArray<QmpCommands.RamBlock> | undefined
}

/**
 * Asks for everything that an image has to fit.
 *
 * @internal
 */
export const look = Effect.fnUntraced(function* (qmp: Client, memory: number): Effect.fn.Return<Destination, QmpError> {
  const blocks = yield* ifAnswered(QmpCommands.queryRamBlocks(qmp))
  return {
    uuid: yield* uuidOf(qmp),
    cpus: yield* ifAnswered(QmpCommands.queryCpuCount(qmp)),
    memory,
    blocks: blocks?.length === 0 ? undefined : blocks
  }
})

/** Firmware tables take the length that they have in the image, as long as there is room. */
const canBeResized = ({ idstr, maxLength, usedLength }: QmpCommands.RamBlock): boolean =>
  usedLength !== maxLength || idstr.startsWith("/rom@")

const fits = (block: ImageBlock, there: QmpCommands.RamBlock): boolean =>
  canBeResized(there) ? block.usedLength <= there.maxLength : block.usedLength === there.usedLength

const lengthOf = (there: QmpCommands.RamBlock): string =>
  canBeResized(there) ? `room for ${there.maxLength} bytes` : `${there.usedLength} bytes`

const blockProblems = ({ blocks, path }: Image, there: ReadonlyArray<QmpCommands.RamBlock>): ReadonlyArray<string> => [
  ...blocks.flatMap((block) => {
    const { idstr, usedLength } = block
    const other = there.find((candidate) => candidate.idstr === idstr)
    if (other === undefined) return [`expected the RAM block "${idstr}" of ${path}, found none`]
    return fits(block, other)
      ? []
      : [`expected the ${usedLength} bytes of the RAM block "${idstr}" of ${path}, found ${lengthOf(other)}`]
  }),
  ...there
    .filter(({ idstr }) => !blocks.some((block) => block.idstr === idstr))
    .map(({ idstr }) => `expected only RAM blocks that ${path} has, found "${idstr}"`)
]

/** All that can be said where the blocks are not known: video memory and firmware come on top of the guest's own memory. */
const memoryProblems = ({ blocks, path }: Image, memory: number): ReadonlyArray<string> => {
  const lengths = blocks.map(({ usedLength }) => usedLength)
  const largest = Math.max(0, ...lengths)
  const all = lengths.reduce((sum, length) => sum + length, 0)
  return memory >= largest && memory <= all
    ? []
    : [`expected a guest with ${largest} to ${all} bytes of RAM, as ${path} has, found ${memory}`]
}

const CPU_SECTIONS = ["cpu", "cpu_common"]

/** Each virtual CPU has a section of its own. 0: the sections are not known, or those of another machine than QEMU's. */
const cpusOf = ({ deviceSections }: Image): number =>
  Math.max(...CPU_SECTIONS.map((name) => deviceSections.filter((section) => section.name === name).length))

const cpuProblems = (image: Image, cpus: number | undefined): ReadonlyArray<string> => {
  const wanted = cpusOf(image)
  return cpus === undefined || wanted === 0 || wanted === cpus
    ? []
    : [`expected the ${wanted} vCPUs of ${image.path}, found ${cpus}`]
}

const machineProblems = (image: Image, machine: string): ReadonlyArray<string> =>
  image.machine === undefined || image.machine === machine
    ? []
    : [`expected the machine type ${image.machine} of ${image.path}, found ${machine}`]

/** Run states in which no QEMU lets a guest go on, or in which it could do nothing. */
const ended: Readonly<Record<string, string>> = {
  shutdown: "was shut down",
  "guest-panicked": "had panicked",
  "internal-error": "was stopped by an internal error of QEMU"
}

const runStateProblems = ({ path, runState = "" }: Image, paused: boolean): ReadonlyArray<string> =>
  runState in ended && !paused
    ? [
        `expected a guest that can go on in ${path}, found one that ${ended[runState]} (${runState}); to look at it, leave it ` +
          "paused (--paused)"
      ]
    : []

/** The uuid of an image's machine, where it is known and is one. */
const uuidIn = ({ configuration, notes }: Image): string | undefined => {
  const uuid = configuration?.uuid
  return notes.uuid ?? (uuid === undefined || Uuid.isNone(uuid) ? undefined : Uuid.format(uuid))
}

const uuidProblems = (image: Image, uuid: Uint8Array | undefined): ReadonlyArray<string> => {
  const wanted = uuidIn(image)
  if (uuid === undefined || wanted === undefined || wanted === Uuid.format(uuid)) return []
  const found = Uuid.isNone(uuid) ? "none" : Uuid.format(uuid)
  return [
    `expected the uuid ${wanted} of ${image.path} (-uuid), found ${found}; a machine with another uuid takes it as a clone ` +
      "with --new-identity"
  ]
}

/**
 * What keeps the image from being loaded there, or from going on.
 *
 * @internal
 */
export const problemsOf = (
  image: Image,
  there: Destination,
  options: {
    readonly machine: string
    readonly paused: boolean
    readonly newIdentity: boolean
    readonly allowLost: boolean
  }
): ReadonlyArray<string> => [
  ...machineProblems(image, options.machine),
  ...(there.blocks === undefined ? memoryProblems(image, there.memory) : blockProblems(image, there.blocks)),
  ...cpuProblems(image, there.cpus),
  ...(options.newIdentity ? [] : uuidProblems(image, there.uuid)),
  ...(options.allowLost ? [] : ImageNotes.lossProblems(image.notes, image.path)),
  ...runStateProblems(image, options.paused)
]
