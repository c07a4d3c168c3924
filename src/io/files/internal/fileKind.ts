import * as Effect from "effect/Effect"
import * as Fs from "node:fs"
import type { Stat } from "../FileCalls.ts"
import { NotSeekableError } from "../FileError.ts"

/** @internal */
export type FileKind = "file" | "directory" | "block device" | "character device" | "fifo" | "socket"

const kinds: { readonly [type: number]: FileKind } = {
  [Fs.constants.S_IFDIR]: "directory",
  [Fs.constants.S_IFBLK]: "block device",
  [Fs.constants.S_IFCHR]: "character device",
  [Fs.constants.S_IFIFO]: "fifo",
  [Fs.constants.S_IFSOCK]: "socket"
}

/** @internal */
export const fileKind = (stat: Stat): FileKind => kinds[stat.mode & Fs.constants.S_IFMT] ?? "file"

/**
 * The kind of a file that is to be read or written by position, if that is possible.
 *
 * @internal
 */
export const seekableKind = (path: string, stat: Stat): Effect.Effect<FileKind, NotSeekableError> => {
  const kind = fileKind(stat)
  if (kind !== "directory" && kind !== "fifo" && kind !== "socket") return Effect.succeed(kind)
  const code = kind === "directory" ? "EISDIR" : "ESPIPE"
  return Effect.fail(new NotSeekableError({ operation: "open", path, code, kind }))
}
