/**
 * The library's system calls on files, as a service.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Fs from "node:fs"
import { nodeInThread } from "./internal/nodeInThread.ts"
import type { InThread } from "./internal/fileCallsModel.ts"

export type { InThread } from "./internal/fileCallsModel.ts"

/**
 * Each function is one system call on files, in Node's callback form. It makes the call once, and may return a short
 * count, exactly as the kernel does. `done` is called once, later, never before the function has returned. Everything
 * above (loops over short counts, typed errors, scopes, batches) is built on these functions, so a virtual disk or a
 * layer that injects faults replaces only this service.
 *
 * **Details**
 *
 * The callback form is deliberate: a batch of pages is submitted as many calls at once under one Effect, which takes a
 * quarter of the time of one Effect per call. Positions are numbers, never bigints.
 *
 * @stability unstable
 * @category models
 * @since 0.1.0
 */
export interface Calls {
  readonly open: (
    path: string,
    flags: number,
    mode: number,
    done: (error: ErrnoError | null, fd: number) => void
  ) => void
  /** Afterwards the descriptor is closed, even if the call fails. */
  readonly close: (fd: number, done: (error: ErrnoError | null) => void) => void
  /** `pread(2)`: may read fewer bytes than requested; 0 at the end of the file. */
  readonly read: (
    fd: number,
    target: Uint8Array,
    offset: number,
    length: number,
    position: number,
    done: (error: ErrnoError | null, bytes: number) => void
  ) => void
  /** `pwrite(2)`: may write fewer bytes than requested. */
  readonly write: (
    fd: number,
    data: Uint8Array,
    offset: number,
    length: number,
    position: number,
    done: (error: ErrnoError | null, bytes: number) => void
  ) => void
  readonly fdatasync: (fd: number, done: (error: ErrnoError | null) => void) => void
  readonly fsync: (fd: number, done: (error: ErrnoError | null) => void) => void
  readonly ftruncate: (fd: number, length: number, done: (error: ErrnoError | null) => void) => void
  readonly fchmod: (fd: number, mode: number, done: (error: ErrnoError | null) => void) => void
  readonly fchown: (fd: number, uid: number, gid: number, done: (error: ErrnoError | null) => void) => void
  readonly fstat: (fd: number, done: (error: ErrnoError | null, stat: Stat) => void) => void
  readonly stat: (path: string, done: (error: ErrnoError | null, stat: Stat) => void) => void
  /** The target of a symbolic link, as written in the link. */
  readonly readlink: (path: string, done: (error: ErrnoError | null, target: string) => void) => void
  readonly realpath: (path: string, done: (error: ErrnoError | null, path: string) => void) => void
  readonly rename: (from: string, to: string, done: (error: ErrnoError | null) => void) => void
  readonly unlink: (path: string, done: (error: ErrnoError | null) => void) => void
  /** Gives a file a second name; fails with EEXIST if there is a file of that name. */
  readonly link: (from: string, to: string, done: (error: ErrnoError | null) => void) => void
  readonly mkdir: (path: string, mode: number, done: (error: ErrnoError | null) => void) => void
  /** The names in a directory, in any order. */
  readonly readdir: (path: string, done: (error: ErrnoError | null, names: ReadonlyArray<string>) => void) => void
  /** Moves bytes in the calling thread. Default: unavailable, and `read` and `write` move all bytes. */
  readonly inThread?: InThread | undefined
}

/**
 * The fields of a file's status that the library uses.
 *
 * @stability unstable
 * @category models
 * @since 0.1.0
 */
export interface Stat {
  /** Bytes; 0 for a device. */
  readonly size: number
  /** Type and permissions, as in `st_mode`. */
  readonly mode: number
  readonly uid: number
  readonly gid: number
  /** Device and inode: two names with equal values refer to the same file. An inode of 2^53 or more is a bigint. */
  readonly dev: number
  readonly ino: number | bigint
  /**
   * The device that a device node refers to: two names with equal values refer to the same device. 0 for anything else.
   */
  readonly rdev: number
  /** The time of the last write, in milliseconds since 1970. */
  readonly mtimeMs: number
  /** Allocated 512-byte units. */
  readonly blocks: number
}

/**
 * An error of a system call, as Node reports it.
 *
 * @stability unstable
 * @category models
 * @since 0.1.0
 */
export type ErrnoError = NodeJS.ErrnoException

/** Inodes may have 64 bits, and some file systems (overlayfs, network file systems) use the highest bits. */
const toStat = ({ blocks, dev, gid, ino, mode, mtimeMs, rdev, size, uid }: Fs.BigIntStats): Stat => ({
  size: Number(size),
  mode: Number(mode),
  uid: Number(uid),
  gid: Number(gid),
  dev: Number(dev),
  ino: ino <= Number.MAX_SAFE_INTEGER ? Number(ino) : ino,
  rdev: Number(rdev),
  mtimeMs: Number(mtimeMs),
  blocks: Number(blocks)
})

const answer =
  (done: (error: ErrnoError | null, stat: Stat) => void) =>
  (error: ErrnoError | null, stats: Fs.BigIntStats): void =>
    error === null ? done(null, toStat(stats)) : done(error, noStat)

/** The status passed along with an error. */
const noStat: Stat = { size: 0, mode: 0, uid: 0, gid: 0, dev: 0, ino: 0, rdev: 0, mtimeMs: 0, blocks: 0 }

/**
 * Node's own calls.
 *
 * @stability unstable
 * @category constructors
 * @since 0.1.0
 */
export const node: Calls = {
  open: Fs.open,
  close: Fs.close,
  read: Fs.read,
  write: Fs.write,
  fdatasync: Fs.fdatasync,
  fsync: Fs.fsync,
  ftruncate: Fs.ftruncate,
  fchmod: Fs.fchmod,
  fchown: Fs.fchown,
  fstat: (fd, done) => Fs.fstat(fd, { bigint: true }, answer(done)),
  stat: (path, done) => Fs.stat(path, { bigint: true }, answer(done)),
  readlink: Fs.readlink,
  realpath: Fs.realpath.native,
  rename: Fs.rename,
  unlink: Fs.unlink,
  link: Fs.link,
  mkdir: Fs.mkdir,
  readdir: Fs.readdir,
  inThread: nodeInThread
}

/**
 * The service. Its default is Node's own calls, so real files need no layer. Provide another one to run a whole
 * migration on a virtual disk.
 *
 * @stability unstable
 * @category services
 * @since 0.1.0
 */
export const FileCalls: Context.Reference<Calls> = Context.Reference<Calls>("effect-multifd/io/FileCalls", {
  defaultValue: () => node
})
