/**
 * The five calls of a snapshot store on its objects: a directory, a bucket, or memory.
 *
 * Every object is written once, with create-if-absent, and never changed.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import type * as Stream from "effect/Stream"
import type { ObjectError, ObjectMissingError } from "./StoreError.ts"

/**
 * An object of a listing.
 *
 * @stability unstable
 * @category models
 * @since 0.1.0
 */
export interface ObjectInfo {
  readonly name: string
  readonly bytes: number
  /** By the clock of the store, in milliseconds since 1970. */
  readonly modified: number
}

/**
 * A range of an object, in bytes.
 *
 * @stability unstable
 * @category models
 * @since 0.1.0
 */
export interface ObjectRange {
  readonly offset: number
  readonly length: number
}

/** Failures other than a missing object. */
type Failure = Exclude<ObjectError, ObjectMissingError>

/**
 * The calls on objects. Names are those of `ObjectName`.
 *
 * @stability unstable
 * @category models
 * @since 0.1.0
 */
export interface Calls {
  /** The store, for errors and spans: `file:PATH`, `s3://BUCKET/PREFIX`. */
  readonly url: string
  /**
   * Creates an object. `exists`: there is one of that name, and it is unchanged. A created object is durable with all
   * of its bytes.
   *
   * **Failure effect**: the object does not exist, or exists completely. An answer may be lost: read the object.
   */
  readonly putIfAbsent: (
    name: string,
    body: Uint8Array | ReadonlyArray<Uint8Array>
  ) => Effect.Effect<"created" | "exists", Failure>
  /** The bytes of an object, or of a range: fewer if the object ends first. */
  readonly get: (name: string, range?: ObjectRange) => Effect.Effect<Uint8Array, ObjectError>
  /**
   * The objects whose names begin with `prefix`, in any order. Objects created or removed during the call may be
   * included.
   */
  readonly list: (prefix: string) => Stream.Stream<ObjectInfo, Failure>
  /**
   * Removes objects in the given order. A missing one is not a failure.
   *
   * **Failure effect**: the first ones are removed, the others still exist.
   */
  readonly remove: (names: ReadonlyArray<string>) => Effect.Effect<void, Failure>
  /** The time by the clock of the store, in milliseconds since 1970. */
  readonly now: Effect.Effect<number, Failure>
}

/**
 * The storage of a snapshot store's objects.
 *
 * @stability unstable
 * @category services
 * @since 0.1.0
 */
export class ObjectStore extends Context.Service<ObjectStore, Calls>()("effect-multifd/store/ObjectStore") {}
