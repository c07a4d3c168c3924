import { Worker } from "node:worker_threads"
import type * as LaneJob from "../LaneJob.ts"
import { type Response, SLOTS, type Start } from "./laneMessages.ts"

/**
 * A job in progress.
 *
 * @internal
 */
export interface Task {
  readonly job: LaneJob.CopyJob
  /** Called once. */
  readonly done: (answer: LaneJob.Answer) => void
  isCancelled: boolean
}

/**
 * One thread, and its jobs. It keeps the process alive while jobs are left.
 *
 *     starting ──ready──▶ idle ◀──job, answer──▶ busy
 *         ╰──────────────────┴───── exit ──────────┴──▶ ended: all jobs are answered with it
 *
 * @internal
 */
export class LaneThread {
  readonly #worker: Worker
  readonly #cancelWords = new Int32Array(new SharedArrayBuffer(SLOTS * Int32Array.BYTES_PER_ELEMENT))
  readonly #tasks: Array<Task | undefined> = Array.from({ length: SLOTS }, () => undefined)
  readonly #answered: (lane: LaneThread) => void
  readonly #ended: (lane: LaneThread, reason: string) => void
  readonly #exited: Promise<unknown>
  #isReady = false
  #reason = "it has ended"

  constructor(
    file: URL,
    on: {
      readonly ready: () => void
      readonly answered: (lane: LaneThread) => void
      readonly ended: (lane: LaneThread, reason: string) => void
    }
  ) {
    this.#answered = on.answered
    this.#ended = on.ended
    const workerData: Start = { cancelWords: this.#cancelWords }
    this.#worker = new Worker(file, { workerData, execArgv: [], name: "effect-multifd lane" })
    this.#worker.on("message", (message: Response | "ready") => {
      if (message !== "ready") return this.#answer(message)
      this.#isReady = true
      this.#worker.unref()
      on.ready()
    })
    this.#worker.on("error", (error) => void (this.#reason = error instanceof Error ? error.message : String(error)))
    this.#exited = new Promise((resolve) => this.#worker.once("exit", resolve)).then(() => this.#end())
  }

  /** `true` if it accepts another job. */
  get hasRoom(): boolean {
    return this.#isReady && this.#tasks.includes(undefined)
  }

  get jobs(): number {
    return this.#tasks.reduce((sum, task) => sum + (task === undefined ? 0 : 1), 0)
  }

  begin(task: Task): void {
    if (this.jobs === 0) this.#worker.ref()
    const slot = this.#tasks.indexOf(undefined)
    this.#tasks[slot] = task
    Atomics.store(this.#cancelWords, slot, 0)
    this.#worker.postMessage({ slot, job: task.job })
  }

  /** The answer comes anyway, soon. */
  cancel(task: Task): void {
    const slot = this.#tasks.indexOf(task)
    if (slot >= 0) Atomics.store(this.#cancelWords, slot, 1)
  }

  /** Ends the thread as soon as its system call has returned. */
  terminate(): Promise<unknown> {
    void this.#worker.terminate()
    return this.#exited
  }

  #answer({ answer, slot }: Response): void {
    const task = this.#tasks[slot]
    this.#tasks[slot] = undefined
    if (this.jobs === 0) this.#worker.unref()
    this.#answered(this)
    task?.done(answer)
  }

  #end(): void {
    this.#isReady = false
    const tasks = this.#tasks.splice(0)
    this.#ended(this, this.#reason)
    for (const task of tasks) task?.done({ _tag: "LaneDied", reason: this.#reason })
  }
}
