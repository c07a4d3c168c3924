import type * as LaneJob from "../LaneJob.ts"
import { LaneThread, type Task } from "./laneThread.ts"

/**
 * Lanes that share their jobs: each job goes to the lane with the fewest, and waits here if all of them are full. A
 * lane that has ended is replaced by a new one.
 *
 * @internal
 */
export class Pool {
  readonly #file: URL
  readonly #size: number
  readonly #lanes = new Set<LaneThread>()
  readonly #waiting: Array<Task> = []
  #started: Promise<string | undefined> | undefined
  #failed: ((reason: string) => void) | undefined
  #isOpen = true

  constructor(file: URL, size: number) {
    this.#file = file
    this.#size = size
  }

  /** Starts the threads, once: the reason of a failure, or `undefined` when all of them have started. */
  start(): Promise<string | undefined> {
    return (this.#started ??= new Promise<string | undefined>((resolve) => {
      let missing = this.#size
      this.#failed = resolve
      for (let i = 0; i < this.#size; i++) this.#add(() => --missing === 0 && resolve(undefined))
    }))
  }

  /** Returns the function that cancels the job. The answer always comes. */
  run(job: LaneJob.CopyJob, done: (answer: LaneJob.Answer) => void): () => void {
    const task: Task = { job, done, isCancelled: false }
    this.#waiting.push(task)
    if (this.#isOpen) while (this.#lanes.size < this.#size) this.#add(() => undefined)
    this.#next()
    return () => this.#cancel(task)
  }

  async close(): Promise<void> {
    this.#isOpen = false
    await Promise.all(Array.from(this.#lanes, (lane) => lane.terminate()))
  }

  #add(ready: () => void): void {
    const lane = new LaneThread(this.#file, {
      ready: () => {
        ready()
        this.#next()
      },
      answered: () => this.#next(),
      ended: (ended, reason) => {
        this.#lanes.delete(ended)
        this.#failed?.(reason)
        if (this.#lanes.size === 0) this.#fail(reason)
      }
    })
    this.#lanes.add(lane)
  }

  #next(): void {
    for (let job = this.#waiting[0]; job !== undefined; job = this.#waiting[0]) {
      const free = Array.from(this.#lanes).filter((lane) => lane.hasRoom)
      const lane = free.toSorted((a, b) => a.jobs - b.jobs)[0]
      if (lane === undefined) return
      this.#waiting.shift()
      lane.begin(job)
    }
  }

  /** No lane is left: waiting jobs would wait forever. */
  #fail(reason: string): void {
    for (const { done } of this.#waiting.splice(0)) done({ _tag: "LaneDied", reason })
  }

  #cancel(task: Task): void {
    const index = this.#waiting.indexOf(task)
    for (const lane of this.#lanes) lane.cancel(task)
    if (index < 0) return
    this.#waiting.splice(index, 1)
    task.done({ _tag: "Cancelled" })
  }
}
