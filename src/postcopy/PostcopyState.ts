/**
 * The states of a postcopy source, and their transitions.
 *
 * ```text
 *   connecting ─▶ preamble ─▶ prefix ─▶ package ─▶ serving ─▶ ending ─▶ completed
 *       │            │          │         │          │  ▲        │
 *       └────────────┴──────────┴─────────┤          │  │        │
 *                                         ▼          ▼  │        ▼
 *                                       failed      paused ◀─────┘
 *                                                    │  ▲
 *                                                    ▼  │
 *                                                  recovering ─▶ serving
 * ```
 *
 * Up to `package` the guest has not run, and a failure ends this destination. From `serving` it may have: any failure
 * then leaves it `paused`, which can be recovered.
 *
 * @since 0.1.0
 */
import * as Result from "effect/Result"
import * as Runtime from "effect/Runtime"
import * as Schema from "effect/Schema"
import { TaggedError } from "../ram/TaggedError.ts"

/**
 * @stability unstable
 * @category schemas
 * @since 0.1.0
 */
export const PostcopyState = Schema.Literals([
  "connecting",
  "preamble",
  "prefix",
  "package",
  "serving",
  "ending",
  "completed",
  "paused",
  "recovering",
  "failed"
])

/**
 * - `connecting`: nothing was sent
 * - `preamble`: header, list of blocks; waiting for the answer to the first PING
 * - `prefix`: pages that arrive before the guest runs
 * - `package`: device state; the guest is about to run
 * - `serving`: the guest runs; pages are sent on request, and all others in between
 * - `ending`: every present page was sent; waiting for the destination's answer
 * - `completed`, `failed`: finished
 * - `paused`: the connection broke while the guest ran; it waits for pages
 * - `recovering`: a new connection exists; the destination reports the pages that it has
 *
 * @stability unstable
 * @category models
 * @since 0.1.0
 */
export type PostcopyState = typeof PostcopyState.Type

const table: Readonly<Record<PostcopyState, ReadonlyArray<PostcopyState>>> = {
  connecting: ["preamble", "recovering", "failed", "paused"],
  preamble: ["prefix", "failed"],
  prefix: ["package", "failed"],
  package: ["serving", "failed"],
  serving: ["ending", "paused"],
  ending: ["completed", "paused"],
  paused: ["recovering"],
  recovering: ["serving", "paused"],
  completed: [],
  failed: []
}

/**
 * The states that can follow a state.
 *
 * @stability unstable
 * @category getters
 * @since 0.1.0
 */
export const successors = (from: PostcopyState): ReadonlyArray<PostcopyState> => table[from]

/**
 * An attempt of a postcopy source to enter a state that cannot follow the current one, or to end with unsent pages.
 * Nothing was sent. This is a bug in the program that drives the source. Exit code 1.
 *
 * @stability unstable
 * @category errors
 * @since 0.1.0
 */
export class PostcopyTransitionError extends TaggedError<PostcopyTransitionError>()("PostcopyTransitionError", {
  from: PostcopyState,
  to: PostcopyState,
  /** Unsent units of memory. */
  missing: Schema.Number
}) {
  override readonly [Runtime.errorExitCode] = 1
  override get message(): string {
    const allowed = successors(this.from)
    if (allowed.includes(this.to)) {
      return `postcopy source: expected every page to be sent before its end, found ${this.missing} that were not`
    }
    const expected = allowed.length === 0 ? "no other state" : allowed.join(", ")
    return `postcopy source: expected ${expected} after ${this.from}, found ${this.to}`
  }
}

/**
 * Checks a step of a source with `missing` present and unsent units. Only a source that has sent everything may end: a
 * destination would take missing pages for zeros.
 *
 * @stability unstable
 * @category checks
 * @since 0.1.0
 */
export const next = (
  from: PostcopyState,
  to: PostcopyState,
  missing: number
): Result.Result<PostcopyState, PostcopyTransitionError> =>
  successors(from).includes(to) && (to !== "ending" || missing === 0)
    ? Result.succeed(to)
    : Result.fail(new PostcopyTransitionError({ from, to, missing }))

/**
 * `true` if the guest may have run.
 *
 * @stability unstable
 * @category guards
 * @since 0.1.0
 */
export const mayRun = (state: PostcopyState): boolean =>
  state === "serving" || state === "ending" || state === "paused" || state === "recovering" || state === "completed"
