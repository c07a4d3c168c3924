import * as Effect from "effect/Effect"
import * as ImageNotes from "../../format/seal/ImageNotes.ts"
import * as Uuid from "../../format/Uuid.ts"
import type { Image, ImageBlock } from "../../image/Image.ts"
import * as Problem from "../../ram/Problem.ts"
import type { Client } from "../QmpClient.ts"
import * as QmpCommands from "../QmpCommands.ts"
import type { QmpError } from "../QmpError.ts"
import { ifAnswered, uuidOf } from "./identity.ts"

/**
 * A waiting QEMU's answers about its machine. `undefined`: it does not answer the query.
 *
 * @internal
 */
export interface Destination {
  /** 16 bytes, zeros if it has none. */
  readonly uuid: Uint8Array | undefined
  readonly cpus: number | undefined
  /** Bytes. */
  readonly memory: number
  readonly blocks: ReadonlyArray<QmpCommands.RamBlock> | undefined
}

/**
 * Queries everything that an image must match.
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

const SAME_MACHINE = "start QEMU with the command line of the saved machine"

/** Firmware tables take the length that they have in the image, up to their maximum. */
const canBeResized = ({ idstr, maxLength, usedLength }: QmpCommands.RamBlock): boolean =>
  usedLength !== maxLength || idstr.startsWith("/rom@")

const fits = (block: ImageBlock, there: QmpCommands.RamBlock): boolean =>
  canBeResized(there) ? block.usedLength <= there.maxLength : block.usedLength === there.usedLength

const lengthOf = (there: QmpCommands.RamBlock): string =>
  canBeResized(there) ? `room for ${there.maxLength} bytes` : `${there.usedLength} bytes`

const blockProblems = (
  { blocks, path }: Image,
  there: ReadonlyArray<QmpCommands.RamBlock>
): ReadonlyArray<Problem.Problem> => [
  ...blocks.flatMap((block) => {
    const { idstr, usedLength } = block
    const other = there.find((candidate) => candidate.idstr === idstr)
    if (other === undefined) return [Problem.make(`QEMU has no RAM block "${idstr}" as ${path} has`, SAME_MACHINE)]
    if (fits(block, other)) return []
    const reason = `the RAM block "${idstr}" has ${usedLength} bytes in ${path}, and ${lengthOf(other)} in QEMU`
    return [Problem.make(reason, SAME_MACHINE)]
  }),
  ...there
    .filter(({ idstr }) => !blocks.some((block) => block.idstr === idstr))
    .map(({ idstr }) => Problem.make(`QEMU has a RAM block "${idstr}", and ${path} has none`, SAME_MACHINE))
]

/** The only possible check if the blocks are unknown: video memory and firmware add to the guest's own memory. */
const memoryProblems = ({ blocks, path }: Image, memory: number): ReadonlyArray<Problem.Problem> => {
  const lengths = blocks.map(({ usedLength }) => usedLength)
  const largest = Math.max(0, ...lengths)
  const all = lengths.reduce((sum, length) => sum + length, 0)
  return memory >= largest && memory <= all
    ? []
    : [
        Problem.make(
          `the guest has ${memory} bytes of RAM, and that of ${path} has ${largest} to ${all}`,
          "start QEMU with the -m of the saved machine"
        )
      ]
}

const CPU_SECTIONS = ["cpu", "cpu_common"]

/** Each virtual CPU has a separate section. 0: the sections are unknown, or belong to a machine that is not QEMU's. */
const cpusOf = ({ deviceSections }: Image): number =>
  Math.max(...CPU_SECTIONS.map((name) => deviceSections.filter((section) => section.name === name).length))

const cpuProblems = (image: Image, cpus: number | undefined): ReadonlyArray<Problem.Problem> => {
  const wanted = cpusOf(image)
  return cpus === undefined || wanted === 0 || wanted === cpus
    ? []
    : [Problem.make(`${image.path} has ${wanted} vCPUs, and QEMU has ${cpus}`, `start QEMU with -smp ${wanted}`)]
}

const machineProblems = (image: Image, machine: string): ReadonlyArray<Problem.Problem> =>
  image.machine === undefined || image.machine === machine
    ? []
    : [
        Problem.make(
          `${image.path} is a machine ${image.machine}, and QEMU's is ${machine}`,
          `start QEMU with -machine ${image.machine}`
        )
      ]

/** Run states from which QEMU cannot resume a guest, or in which the guest could do nothing. */
const ended: Readonly<Record<string, string>> = {
  shutdown: "was shut down",
  "guest-panicked": "had panicked",
  "internal-error": "was stopped by an internal error of QEMU"
}

const runStateProblems = ({ path, runState = "" }: Image, paused: boolean): ReadonlyArray<Problem.Problem> =>
  runState in ended && !paused
    ? [
        Problem.make(
          `the guest in ${path} cannot go on: it ${ended[runState]} (${runState})`,
          "load it with --paused (paused) to look at it"
        )
      ]
    : []

/** The UUID of an image's machine, if it is known and not zeros. */
const uuidIn = ({ configuration, notes }: Image): string | undefined => {
  const uuid = configuration?.uuid
  return notes.uuid ?? (uuid === undefined || Uuid.isNone(uuid) ? undefined : Uuid.format(uuid))
}

const uuidProblems = (image: Image, uuid: Uint8Array | undefined): ReadonlyArray<Problem.Problem> => {
  const wanted = uuidIn(image)
  if (uuid === undefined || wanted === undefined || wanted === Uuid.format(uuid)) return []
  const found = Uuid.isNone(uuid) ? "none" : Uuid.format(uuid)
  return [
    Problem.make(
      `the machine of ${image.path} has the uuid ${wanted}, and QEMU's has ${found}`,
      `start QEMU with -uuid ${wanted}, or load a clone with --new-identity (newIdentity)`
    )
  ]
}

/**
 * Reasons why the image cannot be loaded there, or resumed.
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
): ReadonlyArray<Problem.Problem> => [
  ...machineProblems(image, options.machine),
  ...(there.blocks === undefined ? memoryProblems(image, there.memory) : blockProblems(image, there.blocks)),
  ...cpuProblems(image, there.cpus),
  ...(options.newIdentity ? [] : uuidProblems(image, there.uuid)),
  ...(options.allowLost ? [] : ImageNotes.lossProblems(image.notes, image.path)),
  ...runStateProblems(image, options.paused)
]
