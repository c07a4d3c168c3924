import type * as LaneJob from "../LaneJob.ts"

/** Jobs that a lane has at a time: one in progress, and the next, so that it need not wait for a message. */
export const SLOTS = 2

/**
 * The parameters of a starting lane.
 *
 * @internal
 */
export interface Start {
  /** One word per slot: nonzero if the job in it must end. Shared by both threads. */
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
