import * as Fs from "node:fs"
import * as Os from "node:os"
import type { InThread } from "./fileCallsModel.ts"

/** `f_type` in statfs(2) of a file system in memory. */
const TMPFS = 0x0102_1994

/** With more processors than this, a thread of the pool moves bytes while this thread does something else. */
const FEW_PROCESSORS = 2

/**
 * Node's own blocking calls: for files in memory, if there is no processor for another thread anyway.
 *
 * @internal
 */
export const nodeInThread: InThread = {
  suits: (path, done) =>
    Fs.statfs(path, (error, status) =>
      done(error === null && status.type === TMPFS && Os.availableParallelism() <= FEW_PROCESSORS)
    ),
  read: Fs.readSync,
  write: Fs.writeSync
}
