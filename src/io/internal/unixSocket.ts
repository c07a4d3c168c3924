import * as Fs from "node:fs"
import type { ErrnoError } from "../Network.ts"

/**
 * Removes a socket that somebody left at the path, so that it can be bound again. Anything else stays, and binding fails
 * with `EADDRINUSE`. Whether somebody still listens on it is not asked, as in QEMU.
 *
 * @internal
 */
export const removeLeftover = (path: string, done: (error: ErrnoError | null) => void): void =>
  Fs.lstat(path, (error, stat) => {
    if (error !== null || !stat.isSocket()) done(null)
    else Fs.unlink(path, (failure) => done(failure?.code === "ENOENT" ? null : failure))
  })
