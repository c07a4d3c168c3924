/**
 * The identity of a file, independent of its name.
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
 * Device and inode: equal for all names of a file while it exists. For a block or character device, `mode` and `rdev`:
 * equal for all of its names, which may be several device nodes.
 *
 * @category models
 * @since 0.1.0
 */
export interface FileIdentity extends Pick<Stat, "dev" | "ino"> {
  /** Type and permissions, as in `st_mode`. Default: not a device. */
  readonly mode?: number | undefined
  /** The device that a device node refers to. Default 0: none. */
  readonly rdev?: number | undefined
}

/**
 * The identity as text: equal for the same file or device, different for different ones.
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
 * `true` if both are the same file or device.
 *
 * @category guards
 * @since 0.1.0
 */
export const equals = (a: FileIdentity, b: FileIdentity): boolean => key(a) === key(b)

/**
 * The status, and thereby the identity, of the file at `path`, following symbolic links; `undefined` if there is none.
 *
 * @category getters
 * @since 0.1.0
 */
export const ofPath = (path: string): Effect.Effect<Stat | undefined, FileError> =>
  Effect.flatMap(FileCalls, (calls) =>
    systemCall<Stat>({ operation: "stat", path }, (done) => calls.stat(path, done))
  ).pipe(Effect.catchTag("FileNotFoundError", () => Effect.undefined))

/**
 * A path to be written to.
 *
 * @category models
 * @since 0.1.0
 */
export interface Destination {
  /** The path without symbolic links. */
  readonly path: string
  /** The status of the existing file; `undefined` if there is none. */
  readonly stat: Stat | undefined
  /** `key` of the existing file, or of the future name: the identity of its directory, and its name there. */
  readonly key: string
}

/**
 * The file that writing to a path would affect, existing or not: two paths with the same `key` are the same file.
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
