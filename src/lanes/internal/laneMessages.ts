import type * as LaneJob from "../LaneJob.ts"

/** Jobs that a lane has at a time: one at work, and the next, so that it need not wait for a message. */
export const SLOTS = 2

/**
 * What a lane is given when it starts.
 *
 * @internal
 */
export interface Start {
  /** One word a slot: not 0 where the job in it is to end. Shared by both threads. */
  readonly cancelWords: Int32Array
}

/** @internal */
export interface Request {
  readonly slot: number
  readonly job: LaneJob.CopyJob
}

/** @internal */
export interface Response {
  readonly slot: number
  readonly answer: LaneJob.Answer
}
