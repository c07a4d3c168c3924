/**
 * Which file it is, whatever its name.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Fs from "node:fs"
import * as Path from "node:path"
import { FileCalls, type Stat } from "./FileCalls.ts"
import type { FileError } from "./FileError.ts"
import { systemCall } from "./internal/systemCall.ts"
import { resolveTarget } from "./internal/target.ts"

/**
 * Device and inode: the same for all names of a file, until it is gone. Of a block or character device, `mode` and `rdev`:
 * the same for all of its names, which may be several files.
 *
 * @category models
 * @since 0.1.0
 */
export interface FileIdentity extends Pick<Stat, "dev" | "ino"> {
  /** Type and permissions, as in `st_mode`. Default: no device. */
  readonly mode?: number | undefined
  /** Which device a device's name stands for. Default 0: none. */
  readonly rdev?: number | undefined
}

/**
 * The identity as text: the same text for the same file or device, another one for another.
 *
 * @category getters
 * @since 0.1.0
 */
export const key = ({ dev, ino, mode = 0, rdev = 0 }: FileIdentity): string => {
  const type = mode & Fs.constants.S_IFMT
  if (type === Fs.constants.S_IFBLK) return `block device ${rdev}`
  if (type === Fs.constants.S_IFCHR) return `character device ${rdev}`
  return `${dev}:${ino}`
}

/**
 * Whether both are the same file or device.
 *
 * @category guards
 * @since 0.1.0
 */
export const equals = (a: FileIdentity, b: FileIdentity): boolean => key(a) === key(b)

/**
 * The status, and with it the identity, of what is at `path`, symbolic links followed; `undefined` where nothing is.
 *
 * @category getters
 * @since 0.1.0
 */
export const ofPath = (path: string): Effect.Effect<Stat | undefined, FileError> =>
  Effect.flatMap(FileCalls, (calls) =>
    systemCall<Stat>({ operation: "stat", path }, (done) => calls.stat(path, done))
  ).pipe(Effect.catchTag("FileNotFoundError", () => Effect.undefined))

/**
 * A place in the file system that is to be written to.
 *
 * @category models
 * @since 0.1.0
 */
export interface Destination {
  /** Its name without symbolic links. */
  readonly path: string
  /** What is there; `undefined`: nothing so far. */
  readonly stat: Stat | undefined
  /** `key` of what is there, or of the name of what will be: the identity of its directory, and its name there. */
  readonly key: string
}

/**
 * Which file a path would write to, be it there already or not: two paths with the same `key` are the same file.
 *
 * @category getters
 * @since 0.1.0
 */
export const destination = Effect.fnUntraced(function* (name: string): Effect.fn.Return<Destination, FileError> {
  const calls = yield* FileCalls
  const { path, stat } = yield* resolveTarget(calls, name)
  if (stat !== undefined) return { path, stat, key: key(stat) }
  const parent = Path.dirname(path)
  const directory = yield* systemCall<Stat>({ operation: "stat", path: parent }, (done) => calls.stat(parent, done))
  return { path, stat, key: `${key(directory)}/${Path.basename(path)}` }
})
