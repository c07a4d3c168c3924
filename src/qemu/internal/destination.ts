import * as Effect from "effect/Effect"
import * as ImageNotes from "../../format/seal/ImageNotes.ts"
import * as Uuid from "../../format/Uuid.ts"
import type { Shape } from "../../ram/RamBlock.ts"
import type { SnapshotSource } from "../../snapshot/SnapshotSource.ts"
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
export const query = Effect.fnUntraced(function* (
  qmp: Client,
  memory: number
): Effect.fn.Return<Destination, QmpError> {
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

type Source = SnapshotSource<unknown>

const fits = (block: Shape, there: QmpCommands.RamBlock): boolean =>
  canBeResized(there) ? block.usedLength <= there.maxLength : block.usedLength === there.usedLength

const lengthOf = (there: QmpCommands.RamBlock): string =>
  canBeResized(there) ? `room for ${there.maxLength} bytes` : `${there.usedLength} bytes`

const blockProblems = (
  { blocks, name }: Source,
  there: ReadonlyArray<QmpCommands.RamBlock>
): ReadonlyArray<Problem.Problem> => [
  ...blocks.flatMap((block) => {
    const { idstr, usedLength } = block
    const other = there.find((candidate) => candidate.idstr === idstr)
    if (other === undefined) return [Problem.make(`QEMU has no RAM block "${idstr}" as ${name} has`, SAME_MACHINE)]
    if (fits(block, other)) return []
    const reason = `the RAM block "${idstr}" has ${usedLength} bytes in ${name}, and ${lengthOf(other)} in QEMU`
    return [Problem.make(reason, SAME_MACHINE)]
  }),
  ...there
    .filter(({ idstr }) => !blocks.some((block) => block.idstr === idstr))
    .map(({ idstr }) => Problem.make(`QEMU has a RAM block "${idstr}", and ${name} has none`, SAME_MACHINE))
]

/** The only possible check if the blocks are unknown: video memory and firmware add to the guest's own memory. */
const memoryProblems = ({ blocks, name }: Source, memory: number): ReadonlyArray<Problem.Problem> => {
  const lengths = blocks.map(({ usedLength }) => usedLength)
  const largest = Math.max(0, ...lengths)
  const all = lengths.reduce((sum, length) => sum + length, 0)
  return memory >= largest && memory <= all
    ? []
    : [
        Problem.make(
          `the guest has ${memory} bytes of RAM, and that of ${name} has ${largest} to ${all}`,
          "start QEMU with the -m of the saved machine"
        )
      ]
}

const CPU_SECTIONS = ["cpu", "cpu_common"]

/** Each virtual CPU has a separate section. 0: the sections are unknown, or belong to a machine that is not QEMU's. */
const cpusOf = ({ deviceSections = [] }: Source): number =>
  Math.max(...CPU_SECTIONS.map((name) => deviceSections.filter((section) => section.name === name).length))

const cpuProblems = (source: Source, cpus: number | undefined): ReadonlyArray<Problem.Problem> => {
  const wanted = cpusOf(source)
  return cpus === undefined || wanted === 0 || wanted === cpus
    ? []
    : [Problem.make(`${source.name} has ${wanted} vCPUs, and QEMU has ${cpus}`, `start QEMU with -smp ${wanted}`)]
}

const machineProblems = (source: Source, machine: string): ReadonlyArray<Problem.Problem> =>
  source.machine === undefined || source.machine === machine
    ? []
    : [
        Problem.make(
          `${source.name} is a machine ${source.machine}, and QEMU's is ${machine}`,
          `start QEMU with -machine ${source.machine}`
        )
      ]

/** Run states from which QEMU cannot resume a guest, or in which the guest could do nothing. */
const ended: Readonly<Record<string, string>> = {
  shutdown: "was shut down",
  "guest-panicked": "had panicked",
  "internal-error": "was stopped by an internal error of QEMU"
}

const runStateProblems = ({ name, runState = "" }: Source, paused: boolean): ReadonlyArray<Problem.Problem> =>
  runState in ended && !paused
    ? [
        Problem.make(
          `the guest in ${name} cannot resume: it ${ended[runState]} (${runState})`,
          "load it with --paused (paused) to look at it"
        )
      ]
    : []

/** The UUID of an image's machine, if it is known and not zeros. */
const uuidIn = ({ machineState: { configuration }, notes }: Source): string | undefined => {
  const uuid = configuration?.uuid
  return notes?.uuid ?? (uuid === undefined || Uuid.isNone(uuid) ? undefined : Uuid.format(uuid))
}

const uuidProblems = (source: Source, uuid: Uint8Array | undefined): ReadonlyArray<Problem.Problem> => {
  const wanted = uuidIn(source)
  if (uuid === undefined || wanted === undefined || wanted === Uuid.format(uuid)) return []
  const found = Uuid.isNone(uuid) ? "none" : Uuid.format(uuid)
  return [
    Problem.make(
      `the machine of ${source.name} has the uuid ${wanted}, and QEMU's has ${found}`,
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
  source: Source,
  there: Destination,
  options: {
    readonly machine: string
    readonly paused: boolean
    readonly newIdentity: boolean
    readonly allowLost: boolean
  }
): ReadonlyArray<Problem.Problem> => [
  ...machineProblems(source, options.machine),
  ...(there.blocks === undefined ? memoryProblems(source, there.memory) : blockProblems(source, there.blocks)),
  ...cpuProblems(source, there.cpus),
  ...(options.newIdentity ? [] : uuidProblems(source, there.uuid)),
  ...(options.allowLost ? [] : ImageNotes.lossProblems(source.notes ?? ImageNotes.empty, source.name)),
  ...runStateProblems(source, options.paused)
]
