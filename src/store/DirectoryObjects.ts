/**
 * The objects of a snapshot store as files in a directory.
 *
 * An object is created by `link(2)`, so that it exists completely or not at all, and never replaces another. Names that
 * begin with a dot are temporary files, not objects.
 *
 * @since 0.1.0
 */
import type * as Config from "effect/Config"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Random from "effect/Random"
import * as Stream from "effect/Stream"
import * as Path from "node:path"
import * as Directory from "../io/files/Directory.ts"
import * as ExclusiveFile from "../io/files/ExclusiveFile.ts"
import type { FileError } from "../io/files/FileError.ts"
import * as PositionalFile from "../io/files/PositionalFile.ts"
import { type Calls, type ObjectInfo, type ObjectRange, ObjectStore } from "./ObjectStore.ts"
import * as StoreError from "./StoreError.ts"

const failure = (operation: StoreError.Operation, store: string, object: string) => (cause: FileError) => {
  const fields = { store, operation, object, reason: cause.message, cause }
  if (cause._tag === "NoSpaceError") return new StoreError.StoreFullError(fields)
  if (cause._tag === "FilePermissionError") return new StoreError.StoreAccessError(fields)
  return new StoreError.StoreUnavailableError(fields)
}

const read = Effect.fnUntraced(function* (path: string, range: ObjectRange | undefined) {
  const file = yield* PositionalFile.open(path, { access: "read" })
  const { offset = 0, length = yield* file.size } = range ?? {}
  const bytes = new Uint8Array(length)
  const count = yield* file.read(offset, bytes)
  yield* file.close
  return bytes.subarray(0, count)
}, Effect.scoped)

/** The entries below a directory, by their paths from `base`; a removed directory has none. */
const walk = (base: string, prefix: string): Effect.Effect<ReadonlyArray<ObjectInfo>, FileError> =>
  Effect.flatMap(Directory.list(Path.join(base, prefix)), (entries) =>
    Effect.map(
      Effect.forEach(entries, ({ isDirectory, mtimeMs, name, size }) => {
        if (name.startsWith(".")) return Effect.succeed([])
        if (isDirectory) return walk(base, `${prefix}${name}/`)
        return Effect.succeed([{ name: `${prefix}${name}`, bytes: size, modified: mtimeMs }])
      }),
      (found) => found.flat()
    )
  )

const directoryOf = (prefix: string): string => prefix.slice(0, prefix.lastIndexOf("/") + 1)

/** Only names made by the store itself are paths of files. */
const pathOf = (root: string, name: string): string => Path.join(root, ...name.split("/"))

const makeCalls = (root: string): Calls => {
  const url = `file:${root}`
  const list = (prefix: string) =>
    walk(root, directoryOf(prefix)).pipe(
      Effect.map((objects) => objects.filter(({ name }) => name.startsWith(prefix))),
      Effect.mapError(failure("list", url, prefix))
    )
  return {
    url,
    putIfAbsent: (name, body) => {
      const path = pathOf(root, name)
      const create = ExclusiveFile.create(path, body instanceof Uint8Array ? [body] : body)
      // The directory of a snapshot is made with its first object.
      const inDirectory = Effect.catchTag(create, "FileNotFoundError", () =>
        Effect.andThen(Directory.make(Path.dirname(path)), create)
      )
      return Effect.mapError(inDirectory, failure("create", url, name))
    },
    get: (name, range) =>
      read(pathOf(root, name), range).pipe(
        Effect.mapError((error) =>
          error._tag === "FileNotFoundError"
            ? new StoreError.ObjectMissingError({ store: url, object: name })
            : failure("read", url, name)(error)
        )
      ),
    list: (prefix) => Stream.fromIterableEffect(list(prefix)),
    remove: (names) =>
      Effect.forEach(names, (name) =>
        Effect.mapError(Directory.removeFile(pathOf(root, name)), failure("remove", url, name))
      ).pipe(
        Effect.andThen(
          Effect.forEach(new Set(names.map((name) => Path.dirname(pathOf(root, name)))), (path) =>
            Effect.mapError(Directory.sync(path), failure("remove", url, ""))
          )
        ),
        Effect.asVoid
      ),
    now: now(root).pipe(
      Effect.catchTag("FileNotFoundError", () => Effect.andThen(Directory.make(root), now(root))),
      Effect.mapError(failure("ask for the time", url, ""))
    )
  }
}

/** A file system's clock is that of the machine that stores it: the time of a newly written file. */
const now = (root: string): Effect.Effect<number, FileError> =>
  Effect.scoped(
    Effect.gen(function* () {
      const path = Path.join(root, `.time.${Math.floor((yield* Random.next) * 2 ** 48).toString(16)}.part`)
      const file = yield* PositionalFile.open(path, {
        access: "write",
        create: "exclusive",
        syncOnRelease: false
      })
      yield* Effect.addFinalizer(() => Effect.ignore(Directory.removeFile(path)))
      yield* file.write(0, new Uint8Array(1))
      return (yield* file.stat).mtimeMs
    })
  )

/**
 * Provides `ObjectStore` from a directory. If the directory is missing, it is made with the first object. Its file
 * system must support hard links.
 *
 * **Failure effect**: that of `ObjectStore`. An interrupted or killed call may leave a temporary file.
 *
 * @stability unstable
 * @category layers
 * @since 0.1.0
 */
export const layer = (path: string): Layer.Layer<ObjectStore> =>
  Layer.sync(ObjectStore, () => ObjectStore.of(makeCalls(Path.resolve(path))))

/**
 * The same, with the path from Effect's `Config`.
 *
 * @stability unstable
 * @category layers
 * @since 0.1.0
 */
export const layerConfig = (path: Config.Config<string>): Layer.Layer<ObjectStore, Config.ConfigError> =>
  Layer.unwrap(Effect.map(path, layer))
