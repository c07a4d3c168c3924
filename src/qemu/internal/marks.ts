import * as Effect from "effect/Effect"
import type { Method } from "../../compression/Compression.ts"
import * as MachineType from "../../format/stream/MachineType.ts"
import type { MachineSource } from "../../snapshot/SnapshotSource.ts"
import type { SendOptions } from "../../migration/SendOptions.ts"
import type { Client, Version } from "../QmpClient.ts"
import * as QmpCommands from "../QmpCommands.ts"
import type { QmpError } from "../QmpError.ts"
import { ifAnswered } from "./identity.ts"

type Marks = NonNullable<SendOptions["marks"]>

/**
 * The parameters for sending a machine to a QEMU.
 *
 * @internal
 */
export interface Way extends Pick<SendOptions, "marks" | "zeroPageDetection"> {
  /** 0: no multifd. */
  readonly channels: number
  readonly compression: Method
}

const isBefore = (version: Version, major: number, minor: number): boolean =>
  version.major < major || (version.major === major && version.minor < minor)

/** QEMU's own machine types without a version: their behaviour depends on the QEMU that runs them. */
const unversioned: ReadonlySet<string> = new Set(["microvm", "none", "isapc"])

const FLUSH_PROPERTY = "multifd-flush-after-each-section"

/** The compatibility properties of a machine type; `undefined`: this QEMU does not answer the query. */
const asked = Effect.fnUntraced(function* (
  qmp: Client,
  machine: string
): Effect.fn.Return<Marks | undefined, QmpError> {
  const machines = yield* ifAnswered(QmpCommands.queryMachines(qmp))
  const properties = machines?.find(({ name }) => name === machine)?.["compat-props"]
  if (properties === undefined) return undefined
  // The last one applies.
  const flush = properties.findLast((one) => one["qom-type"] === "migration" && one.property === FLUSH_PROPERTY)
  return flush !== undefined && ["on", "true"].includes(flush.value) ? "each-section" : "each-round"
})

/**
 * The point at which a waiting QEMU waits for its channels. QEMU before 8.1 has only one; later it depends on the
 * machine type. `undefined`: it cannot be determined.
 */
const marksOf = Effect.fnUntraced(function* ({
  qmp,
  machine,
  source: { notes }
}: Question): Effect.fn.Return<Marks | undefined, QmpError> {
  if (isBefore(qmp.version, 8, 1)) return "each-section"
  const isKnown = MachineType.versionOf(machine) !== undefined
  if (isKnown) return notes?.marks ?? (MachineType.isAtMost(machine, 8, 0) ? "each-section" : "each-round")
  const answer = yield* asked(qmp, machine)
  return answer ?? (unversioned.has(machine) ? "each-round" : notes?.marks)
})

interface Question {
  readonly qmp: Client
  readonly source: Pick<MachineSource, "notes">
  /** QEMU's name of its machine. */
  readonly machine: string
}

/**
 * Determines how to send an image to a QEMU without a hang: one that waits for its channels at another point than the
 * sender marks waits forever, and so does its monitor. If the point cannot be determined, the machine is sent without
 * multifd, which has none.
 *
 * @internal
 */
export const wayTo = Effect.fnUntraced(function* (
  question: Question,
  wanted: Pick<Way, "channels" | "compression">,
  onProblem: (problem: string) => Effect.Effect<void>
): Effect.fn.Return<Way, QmpError> {
  const { machine, qmp } = question
  // This QEMU does not understand zero pages in packets.
  const zeroPageDetection = isBefore(qmp.version, 9, 0) ? "legacy" : undefined
  if (wanted.channels === 0) return { ...wanted, zeroPageDetection }
  const marks = yield* marksOf(question)
  if (marks !== undefined) return { ...wanted, marks, zeroPageDetection }
  yield* onProblem(
    `${qmp.peer}: it is unknown when a machine ${machine} waits for multifd's channels: the image is loaded without multifd`
  )
  return { channels: 0, compression: "none", zeroPageDetection }
})
