/**
 * Lanes that fail or return short counts as a test plans.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as LaneJob from "../lanes/LaneJob.ts"
import * as Lanes from "../lanes/Lanes.ts"
import * as LaneWork from "../lanes/LaneWork.ts"
import type { Fault } from "./internal/faultyFilesModel.ts"
import { errnoError } from "./internal/nodeForm.ts"
import { nextTurn } from "./internal/eventLoop.ts"
import type { Later } from "./Simulation.ts"

/**
 * A system call of a lane before it reaches the kernel.
 *
 * @stability unstable
 * @category models
 * @since 0.1.0
 */
export interface Call {
  /** Counts the calls of all lanes from 0. */
  readonly index: number
  readonly name: "read" | "write"
  readonly fd: number
  readonly position: number
  readonly length: number
}

/**
 * The fault of a call. `Die`: the thread ends during its job, and so do all other jobs that it has.
 *
 * @stability unstable
 * @category models
 * @since 0.1.0
 */
export type LaneFault = Fault | { readonly _tag: "Die" }

/**
 * Decides the fault of each call; `undefined`: none. A `Delay` applies to the answer to the job.
 *
 * @stability unstable
 * @category models
 * @since 0.1.0
 */
export type Plan = (call: Call) => LaneFault | undefined

/**
 * The lanes, and the test's view of them.
 *
 * @stability unstable
 * @category models
 * @since 0.1.0
 */
export interface FaultyLanes {
  readonly lanes: Lanes.Lanes
  /** Replaces threads by these lanes. */
  readonly layer: Layer.Layer<never>
  /** Every call so far. */
  readonly log: () => ReadonlyArray<Call>
  /** Jobs without an answer so far. */
  readonly underWay: () => number
}

/**
 * The fault affects only the call of this index.
 *
 * @stability unstable
 * @category plans
 * @since 0.1.0
 */
export const at =
  (index: number, fault: LaneFault): Plan =>
  (call) =>
    call.index === index ? fault : undefined

class Death extends Error {}

/** One job in the calling thread, with faults before its calls. */
class Work {
  readonly #plan: Plan
  readonly #log: Array<Call>
  /** Turns of the event loop before the answer. */
  delay = 0

  constructor(plan: Plan, log: Array<Call>) {
    this.#plan = plan
    this.#log = log
  }

  run(job: LaneJob.CopyJob, isCancelled: () => boolean): LaneJob.Answer {
    const calls = { read: this.#faulty("read"), write: this.#faulty("write") }
    try {
      return LaneWork.copyPages(job, { calls, buffer: LaneWork.makeBuffer(), isCancelled })
    } catch (cause) {
      if (cause instanceof Death) return { _tag: "LaneDied", reason: "a test ended it" }
      throw cause
    }
  }

  #faulty(name: "read" | "write"): LaneWork.SystemCalls["read"] {
    return (fd, data, offset, length, position) => {
      const call = { index: this.#log.length, name, fd, position, length }
      this.#log.push(call)
      const fault = this.#plan(call)
      if (fault?._tag === "Die") throw new Death()
      if (fault?._tag === "Fail") throw errnoError(fault.code, name, `descriptor ${fd}`)
      if (fault?._tag === "Delay") this.delay += fault.turns
      const most = fault?._tag === "Short" ? Math.min(fault.bytes, length) : length
      return most === 0 ? 0 : LaneWork.node[name](fd, data, offset, most, position)
    }
  }
}

const after = (turns: number, run: () => void, later: Later): void =>
  turns <= 0 ? later(run) : later(() => after(turns - 1, run, later))

/**
 * Lanes that run their jobs in the calling thread, a turn of the event loop later, with faults.
 *
 * **Example** (The third call of a lane finds no space)
 *
 * ```ts
 * import * as Effect from "effect/Effect"
 * import { FilePages, Migration } from "effect-multifd"
 * import { FaultyFiles, FaultyLanes } from "effect-multifd/testing"
 *
 * const { layer } = FaultyLanes.make(FaultyLanes.at(2, FaultyFiles.Fault.Fail({ code: "ENOSPC" })))
 * const program = FilePages.make({ idstr: "pc.ram", path: "/dev/shm/ram", access: "read" }).pipe(
 *   Effect.flatMap((block) => Migration.make.save({ blocks: [block], target: "/tmp/vm.img" })),
 *   Effect.scoped,
 *   Effect.flip, // NoSpaceError, where the RAM is large enough for lanes
 *   Effect.provide(layer)
 * )
 * ```
 *
 * @stability unstable
 * @category constructors
 * @since 0.1.0
 */
export const make = (plan: Plan, { later = nextTurn }: { readonly later?: Later | undefined } = {}): FaultyLanes => {
  const log: Array<Call> = []
  let underWay = 0
  const begin = (job: LaneJob.CopyJob, isCancelled: () => boolean, done: (answer: LaneJob.Answer) => void): void => {
    underWay++
    later(() => {
      const work = new Work(plan, log)
      const answer = work.run(job, isCancelled)
      after(
        work.delay,
        () => {
          underWay--
          done(answer)
        },
        later
      )
    })
  }
  const lanes = Lanes.fromThreads({
    start: Effect.succeed(true),
    run: (job, done) => {
      let isCancelled = false
      begin(job, () => isCancelled, done)
      return () => void (isCancelled = true)
    }
  })
  return {
    lanes,
    layer: Layer.succeed(Lanes.Lanes, lanes),
    log: () => log.slice(),
    underWay: () => underWay
  }
}
