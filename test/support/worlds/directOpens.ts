import * as Fs from "node:fs"
import type { Calls } from "../../../src/io/files/FileCalls.ts"

/** Watches files being opened: which of them past the page cache. */
export const directOpens = (inner: Calls) => {
  const direct: Array<boolean> = []
  const open: Calls["open"] = (path, flags, mode, done) => {
    direct.push((flags & Fs.constants.O_DIRECT) !== 0)
    inner.open(path, flags, mode, done)
  }
  return { direct, calls: { ...inner, open } }
}
