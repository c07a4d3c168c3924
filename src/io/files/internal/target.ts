import * as Effect from "effect/Effect"
import * as Path from "node:path"
import type { Calls, Stat } from "../FileCalls.ts"
import * as FileError from "../FileError.ts"
import { systemCall } from "./systemCall.ts"

/** Most links that Linux follows before it returns ELOOP. */
const MAX_LINKS = 40

/**
 * A name with all symbolic links resolved, and the file there, if it exists.
 *
 * @internal
 */
export interface Target {
  readonly path: string
  readonly stat: Stat | undefined
}

/** Node's replacement for bytes that are not UTF-8. */
const REPLACEMENT = "\ufffd"

const notText = (path: string) => {
  const cause = new Error("a name in the path is not UTF-8")
  return new FileError.FileIoError({ operation: "resolve", path, code: "EILSEQ", cause })
}

const statOf = (calls: Calls, path: string) =>
  systemCall<Stat>({ operation: "stat", path }, (done) => calls.stat(path, done))

/** A name that is not UTF-8 is returned as that of another file, or of none. */
const realpath = Effect.fnUntraced(function* (
  calls: Calls,
  path: string
): Effect.fn.Return<string, FileError.FileError> {
  const resolved = yield* systemCall<string>({ operation: "resolve", path }, (done) => calls.realpath(path, done))
  if (!resolved.includes(REPLACEMENT)) return resolved
  const there = yield* Effect.orElseSucceed(statOf(calls, resolved), () => undefined)
  const wanted = yield* statOf(calls, path)
  if (there?.dev === wanted.dev && there.ino === wanted.ino) return resolved
  return yield* notText(path)
})

/** The target of the link at `path`; undefined if it is not a link. */
const linkTarget = (calls: Calls, path: string) =>
  systemCall<string>({ operation: "resolve", path }, (done) => calls.readlink(path, done)).pipe(
    Effect.catchIf(
      (error) => error.code === "EINVAL" || error.code === "ENOENT",
      () => Effect.undefined
    )
  )

/** A missing file's name may still be a link to the place of the future file. */
const resolveMissing = Effect.fnUntraced(function* (
  calls: Calls,
  path: string
): Effect.fn.Return<string, FileError.FileError> {
  let name = path
  for (let links = 0; links <= MAX_LINKS; links++) {
    const directory = yield* realpath(calls, Path.dirname(name))
    const resolved = Path.join(directory, Path.basename(name))
    const next = yield* linkTarget(calls, resolved)
    if (next === undefined) return resolved
    if (next.includes(REPLACEMENT)) return yield* notText(path)
    name = Path.resolve(directory, next)
  }
  const cause = new Error("there are too many links in the path")
  return yield* new FileError.FileIoError({ operation: "resolve", path, code: "ELOOP", cause })
})

/** @internal */
export const resolveTarget = Effect.fnUntraced(function* (
  calls: Calls,
  path: string
): Effect.fn.Return<Target, FileError.FileError> {
  if (path.endsWith("/")) {
    return yield* new FileError.NotSeekableError({ operation: "open", path, code: "EISDIR", kind: "directory" })
  }
  const stat = yield* statOf(calls, path).pipe(
    Effect.catchIf(
      (error) => error.code === "ENOENT",
      () => Effect.undefined
    )
  )
  return { stat, path: yield* stat === undefined ? resolveMissing(calls, path) : realpath(calls, path) }
})
