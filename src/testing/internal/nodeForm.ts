import * as Os from "node:os"
import type { ErrnoError, Stat } from "../../io/files/FileCalls.ts"

const numbers = new Map<string, number>(Object.entries(Os.constants.errno))

/**
 * An error like those of Node's system calls.
 *
 * @internal
 */
export const errnoError = (code: string, syscall: string, path?: string): ErrnoError =>
  Object.assign(new Error(`${code}: ${syscall}${path === undefined ? "" : ` '${path}'`}`), {
    code,
    syscall,
    errno: -(numbers.get(code) ?? 0),
    ...(path === undefined ? {} : { path })
  })

/**
 * The status passed with the error of a failing `stat`.
 *
 * @internal
 */
export const noStat: Stat = { size: 0, mode: 0, uid: 0, gid: 0, dev: 0, ino: 0, rdev: 0, mtimeMs: 0, blocks: 0 }
