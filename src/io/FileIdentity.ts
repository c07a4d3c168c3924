/**
 * Which file it is, whatever its name.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import { FileCalls, type Stat } from "./FileCalls.ts"
import type { FileError } from "./FileError.ts"
import { systemCall } from "./internal/systemCall.ts"

/**
 * Device and inode: the same for all names of a file, until it is gone.
 *
 * @category models
 * @since 0.1.0
 */
export interface FileIdentity {
  readonly dev: number
  readonly ino: number
}

/**
 * Whether both are the same file.
 *
 * @category guards
 * @since 0.1.0
 */
export const equals = (a: FileIdentity, b: FileIdentity): boolean => a.dev === b.dev && a.ino === b.ino

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
