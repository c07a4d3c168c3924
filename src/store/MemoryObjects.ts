/**
 * Objects in memory: a snapshot store for tests, and for data that need not outlive the process.
 *
 * @since 0.1.0
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Stream from "effect/Stream"
import * as Bytes from "effect/Bytes"
import { type Calls, type ObjectRange, ObjectStore } from "./ObjectStore.ts"
import { ObjectMissingError } from "./StoreError.ts"

/**
 * Objects, and the test's view of them.
 *
 * @stability unstable
 * @category models
 * @since 0.1.0
 */
export interface MemoryObjects {
  readonly calls: Calls
  /** Provides `ObjectStore`. */
  readonly layer: Layer.Layer<ObjectStore>
  /** The objects by name; a test can damage them here. */
  readonly objects: Map<string, { readonly body: Uint8Array; readonly modified: number }>
}

const cut = (body: Uint8Array, range: ObjectRange | undefined): Uint8Array =>
  range === undefined ? body.slice() : body.slice(range.offset, range.offset + range.length)

/**
 * Makes an empty store. `url` is its name in errors; default `memory:`.
 *
 * @stability unstable
 * @category constructors
 * @since 0.1.0
 */
export const make = (url = "memory:"): MemoryObjects => {
  const objects: MemoryObjects["objects"] = new Map()
  const calls: Calls = {
    url,
    putIfAbsent: (name, body) =>
      Effect.map(Clock.currentTimeMillis, (modified) => {
        if (objects.has(name)) return "exists"
        const bytes = body instanceof Uint8Array ? body.slice() : Bytes.concat(body)
        objects.set(name, { body: bytes, modified })
        return "created"
      }),
    get: (name, range) =>
      Effect.suspend(() => {
        const object = objects.get(name)
        return object === undefined
          ? Effect.fail(new ObjectMissingError({ store: url, object: name }))
          : Effect.succeed(cut(object.body, range))
      }),
    list: (prefix) =>
      Stream.suspend(() =>
        Stream.fromIterable(
          [...objects].flatMap(([name, { body, modified }]) =>
            name.startsWith(prefix) ? [{ name, bytes: body.length, modified }] : []
          )
        )
      ),
    remove: (names) => Effect.sync(() => names.forEach((name) => objects.delete(name))),
    now: Clock.currentTimeMillis
  }
  return { calls, layer: Layer.succeed(ObjectStore, ObjectStore.of(calls)), objects }
}
