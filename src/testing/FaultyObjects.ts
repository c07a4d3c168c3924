/**
 * Objects of a snapshot store whose calls fail, are lost, or come late, as a test plans.
 *
 * @since 0.1.0
 */
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Stream from "effect/Stream"
import { type Calls, ObjectStore } from "../store/ObjectStore.ts"
import { StoreUnavailableError } from "../store/StoreError.ts"

/**
 * The fault of a call.
 *
 * - `Fail`: it does nothing, and fails.
 * - `Lost`: it does its work, and fails.
 * - `Late`: it does its work after `turns` turns of other fibers.
 * - `Hang`: it does nothing, and never ends, as if the process had been killed.
 *
 * @stability unstable
 * @category models
 * @since 0.1.0
 */
export type Fault = Data.TaggedEnum<{
  Fail: {}
  Lost: {}
  Late: { readonly turns: number }
  Hang: {}
}>

/**
 * The constructors of {@link Fault}.
 *
 * @stability unstable
 * @category constructors
 * @since 0.1.0
 */
export const Fault = Data.taggedEnum<Fault>()

/**
 * A call before it is made.
 *
 * @stability unstable
 * @category models
 * @since 0.1.0
 */
export interface Call {
  /** Counts all calls from 0. */
  readonly index: number
  readonly operation: "create" | "read" | "list" | "remove" | "ask for the time"
  /** The object, or the prefix. */
  readonly object: string
}

/**
 * Decides the fault of each call; `undefined`: none.
 *
 * @stability unstable
 * @category models
 * @since 0.1.0
 */
export type Plan = (call: Call) => Fault | undefined

const turns = (count: number): Effect.Effect<void> => Effect.repeat(Effect.yieldNow, { times: count })

/**
 * Wraps the calls of another store. `calls` has the calls so far.
 *
 * @stability unstable
 * @category constructors
 * @since 0.1.0
 */
export const make = (inner: Calls, plan: Plan) => {
  const log: Array<Call> = []
  const failed = ({ object, operation }: Call) =>
    new StoreUnavailableError({ store: inner.url, operation, object, reason: "a planned fault" })
  const meet = <A, E>(
    operation: Call["operation"],
    object: string,
    work: Effect.Effect<A, E>
  ): Effect.Effect<A, E | StoreUnavailableError> =>
    Effect.suspend((): Effect.Effect<A, E | StoreUnavailableError> => {
      const call = { index: log.length, operation, object }
      log.push(call)
      const fault = plan(call)
      switch (fault?._tag) {
        case "Fail":
          return Effect.fail(failed(call))
        case "Lost":
          return Effect.andThen(work, Effect.fail(failed(call)))
        case "Late":
          return Effect.andThen(turns(fault.turns), work)
        case "Hang":
          return Effect.uninterruptible(Effect.never)
        default:
          return work
      }
    })
  const calls: Calls = {
    url: inner.url,
    putIfAbsent: (name, body) => meet("create", name, inner.putIfAbsent(name, body)),
    get: (name, range) => meet("read", name, inner.get(name, range)),
    list: (prefix) => Stream.fromIterableEffect(meet("list", prefix, Stream.runCollect(inner.list(prefix)))),
    remove: (names) => Effect.forEach(names, (name) => meet("remove", name, inner.remove([name])), { discard: true }),
    now: meet("ask for the time", "", inner.now)
  }
  return { calls, layer: Layer.succeed(ObjectStore, ObjectStore.of(calls)), log: (): ReadonlyArray<Call> => log }
}
