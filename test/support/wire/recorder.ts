/**
 * Channels that move nothing, take their time, fail where a test says so, and write down everything.
 */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { Channel } from "../../../src/transfer/Channel.ts"
import type { PageBatch } from "../../../src/ram/PageBatch.ts"

export type Operation = "open" | "transfer" | "sync" | "finish" | "release"

export interface Event {
  readonly operation: Operation
  readonly channel: number
  readonly when: "begin" | "end"
  /** Of a transfer: the number of the batch. */
  readonly batch: number
}

/** What to do in the middle of the `index`-th operation of its kind. */
export type Script = (event: Event, index: number) => Effect.Effect<void, Failure>

export class Failure {
  readonly _tag = "Failure"
  readonly name: string
  constructor(name: string) {
    this.name = name
  }
}

export interface Recorder {
  readonly events: ReadonlyArray<Event>
  readonly open: (id: number) => Effect.Effect<Channel<Failure>, Failure, Scope.Scope>
  /** The positions in `events` of what matches. */
  readonly where: (matches: (event: Event) => boolean) => ReadonlyArray<number>
}

export const make = (script: Script): Recorder => {
  const events: Array<Event> = []
  const counts = new Map<Operation, number>()
  const play = (operation: Operation, channel: number, batch = -1): Effect.Effect<void, Failure> =>
    Effect.suspend(() => {
      const index = counts.get(operation) ?? 0
      counts.set(operation, index + 1)
      const begin: Event = { operation, channel, batch, when: "begin" }
      events.push(begin)
      return Effect.ensuring(
        script(begin, index),
        Effect.sync(() => events.push({ ...begin, when: "end" }))
      )
    })
  return {
    events,
    where: (matches) => events.flatMap((event, at) => (matches(event) ? [at] : [])),
    open: (id) =>
      Effect.acquireRelease(play("open", id), () => Effect.ignore(play("release", id))).pipe(
        Effect.as({
          id,
          transfer: (batch) => play("transfer", id, batch.offset),
          sync: play("sync", id),
          finish: play("finish", id)
        })
      )
  }
}

/** A batch without bytes, told by its offset. */
export const batchOf = (number: number): PageBatch => ({
  block: {
    idstr: "pc.ram",
    usedLength: 0,
    pageSize: 4096,
    reader: { present: undefined, view: undefined, readInto: () => Effect.die("nobody reads it") }
  },
  offset: number,
  length: 0,
  pages: []
})
