/** What one seed stands for: a machine, how it is moved, and what goes wrong meanwhile. */
import * as Arbitrary from "effect/Arbitrary"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as FaultyFiles from "../../../src/testing/FaultyFiles.ts"
import * as RamArbitraries from "../../../src/testing/RamArbitraries.ts"
import * as VirtualNetwork from "../../../src/testing/VirtualNetwork.ts"
import * as Writers from "../guests/writers.ts"
import type { Chance } from "./chance.ts"

export type Side = "sender" | "receiver"

/** What goes wrong, once, beside the noise. */
export type Trouble = Data.TaggedEnum<{
  None: {}
  /** Something happens at a byte of a connection. */
  Connection: { readonly rule: VirtualNetwork.Rule }
  /** A call on a file or a socket fails, or from then on all of them. */
  Call: {
    readonly side: Side
    readonly of: "file" | "socket"
    readonly index: number
    readonly often: "once" | "for good"
    readonly fault: FaultyFiles.Fault
  }
  /** One side is gone from one operation to the next; its disk loses power. */
  Crash: { readonly side: Side; readonly step: number }
}>

export const Trouble = Data.taggedEnum<Trouble>()

export interface Scenario {
  readonly blocks: ReadonlyArray<RamArbitraries.Block>
  readonly source: "image" | "memory" | "live"
  readonly sink: "image" | "blocks"
  /** What is there where the receiver's image is to be; `any`: whatever an earlier attempt has left. */
  readonly target: "absent" | "old" | "in place" | "any"
  readonly channels: number
  readonly compression: "none" | "zlib"
  readonly zeroPageDetection: "none" | "legacy" | "multifd"
  readonly marks: "each-round" | "each-section"
  readonly returnPath: boolean
  readonly queueDepth: number
  readonly batchSize: number
  readonly maxBandwidth: number
  readonly directIo: boolean
  readonly coalescePages: number
  /** Bytes that each direction of a connection holds. */
  readonly capacity: number
  readonly live: {
    readonly kind: "memory" | "file"
    readonly tracking: "marking" | "hash" | "copy"
    readonly scripts: ReadonlyArray<ReadonlyArray<Writers.Write>>
    readonly leave: "paused" | "running"
    readonly downtimeLimit: number
    readonly maxRounds: number
  }
  /** One call in so many comes short or late, everywhere; 0: none. */
  readonly noise: number
  readonly trouble: Trouble
}

/** About as many as a small migration takes, so that most crashes meet one. */
const LAST_STEP = 9000
const LAST_FILE_CALL = 70
const LAST_SOCKET_CALL = 250

/** Nobody reads a channel before it has read the main one's START, so a SYNC must find room; every kernel has more. */
const MIN_CAPACITY = 5000

const { Fault } = VirtualNetwork

const connectionFault = (chance: Chance): VirtualNetwork.Fault =>
  chance.pick([
    Fault.Cut(),
    Fault.Reset(),
    Fault.Stall(),
    Fault.Refuse(),
    Fault.Ignore(),
    Fault.Delay({ duration: chance.between(1, 1600) }),
    Fault.Corrupt({ mask: chance.between(1, 255) }),
    Fault.Short({ bytes: chance.pick([20, 700, 5000]) })
  ])

const ruleOf = (chance: Chance, channels: number): VirtualNetwork.Rule => {
  const from = chance.pick(["connector", "connector", "listener"])
  const last = from === "listener" ? 10 : chance.pick([100, 5000, 100_000])
  return { fault: connectionFault(chance), connection: chance.between(0, channels), from, at: chance.between(0, last) }
}

const callFault = (chance: Chance): FaultyFiles.Fault =>
  chance.pick([
    FaultyFiles.Fault.Fail({ code: chance.pick(["EIO", "ENOSPC", "ECONNRESET", "EACCES"]) }),
    FaultyFiles.Fault.Fail({ code: "EIO" }),
    FaultyFiles.Fault.Short({ bytes: 0 }),
    FaultyFiles.Fault.Delay({ turns: 300 })
  ])

const troubleOf = (chance: Chance, channels: number): Trouble => {
  const side = chance.pick(["sender", "receiver"])
  const of = chance.pick(["file", "socket"])
  return chance.pick([
    () => Trouble.None(),
    () => Trouble.Connection({ rule: ruleOf(chance, channels) }),
    () => Trouble.Connection({ rule: ruleOf(chance, channels) }),
    () => {
      const index = chance.between(0, of === "file" ? LAST_FILE_CALL : LAST_SOCKET_CALL)
      return Trouble.Call({ side, of, index, often: chance.pick(["once", "for good"]), fault: callFault(chance) })
    },
    () => Trouble.Crash({ side, step: chance.between(1, LAST_STEP) }),
    () => Trouble.Crash({ side, step: chance.between(1, LAST_STEP) })
  ])()
}

const samples = Arbitrary.all({
  blocks: RamArbitraries.blocks({ maxPages: 24, maxBlocks: 3 }),
  scripts: Arbitrary.array(Writers.script, { minLength: 1, maxLength: 3 })
})

/** Draws everything. */
export const draw = Effect.fnUntraced(function* (chance: Chance) {
  const [sample] = yield* Arbitrary.sampleEffect(samples, { seed: chance.between(0, 0xffff_ffff), count: 1 })
  const pageSize = chance.pick([4096, 4096, 1024])
  const channels = chance.pick([0, 1, 2, 2, 3, 5])
  const scenario: Scenario = {
    blocks: sample!.blocks.map((block) => ({ ...block, pageSize })),
    source: chance.pick(["image", "memory", "live", "live"]),
    sink: chance.pick(["image", "image", "image", "blocks"]),
    target: chance.pick(["absent", "old", "in place"]),
    channels,
    compression: channels > 0 && chance.oneIn(3) ? "zlib" : "none",
    zeroPageDetection: chance.pick(["none", "legacy", "multifd"]),
    marks: chance.pick(["each-round", "each-section"]),
    returnPath: !chance.oneIn(4),
    queueDepth: chance.between(1, 5),
    batchSize: chance.pick([4096, 20_000, 100_000]),
    maxBandwidth: chance.pick([0, 0, 0, 2_000_000]),
    // O_DIRECT deals in 4 KiB, in files and in memory.
    directIo: pageSize === 4096 && chance.oneIn(4),
    coalescePages: chance.between(0, 4),
    capacity: chance.pick([MIN_CAPACITY, 20_000, 65_536]),
    live: {
      kind: chance.pick(["memory", "file"]),
      tracking: chance.pick(["marking", "hash", "copy"]),
      // Who never rests leaves no time for anybody else.
      scripts: sample!.scripts.map((script) => script.map((write) => ({ ...write, rest: write.rest + 1 }))),
      leave: chance.pick(["paused", "running"]),
      downtimeLimit: chance.between(0, 40),
      maxRounds: chance.between(1, 4)
    },
    noise: chance.pick([0, 5, 30]),
    trouble: troubleOf(chance, channels)
  }
  return scenario
}, Effect.orDie)
