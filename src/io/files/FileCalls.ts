/**
 * The system calls that the library makes on files, as a service.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Fs from "node:fs"
import { nodeInThread } from "./internal/nodeInThread.ts"
import type { InThread } from "./internal/fileCallsModel.ts"

export type { InThread } from "./internal/fileCallsModel.ts"

/**
 * One system call on files each, in Node's callback form; each call is made once and may come back short, exactly as the
 * kernel answers it. `done` is called once, later, never before the call has returned. Everything above (loops over short counts, typed errors, scopes, batches) is built on these, so a
 * virtual disk or a layer that injects faults replaces this service and nothing else.
 *
 * **Details**
 *
 * The callback form is deliberate: a batch of pages is submitted as many calls at once under one Effect, which costs a
 * quarter of an Effect per call. Positions are numbers, never bigints.
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
  /** The descriptor is gone afterwards, whether it fails or not. */
  readonly close: (fd: number, done: (error: ErrnoError | null) => void) => void
  /** `pread(2)`: may read less than asked; 0 at the end of the file. */
  readonly read: (
    fd: number,
    target: Uint8Array,
    offset: number,
    length: number,
    position: number,
    done: (error: ErrnoError | null, bytes: number) => void
  ) => void
  /** `pwrite(2)`: may write less than asked. */
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
  /** Where a symbolic link points, as it is written in the link. */
  readonly readlink: (path: string, done: (error: ErrnoError | null, target: string) => void) => void
  readonly realpath: (path: string, done: (error: ErrnoError | null, path: string) => void) => void
  readonly rename: (from: string, to: string, done: (error: ErrnoError | null) => void) => void
  readonly unlink: (path: string, done: (error: ErrnoError | null) => void) => void
  /** Moving bytes without a detour. Default: there is none, and all bytes are moved by `read` and `write`. */
  readonly inThread?: InThread | undefined
}

/**
 * What the library looks at of a file's status.
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
  /** Device and inode: two names with both the same are the same file. An inode of 2^53 or more is a bigint. */
  readonly dev: number
  readonly ino: number | bigint
  /** Of a device's name, which device it is: two names with the same are the same device. 0 for anything else. */
  readonly rdev: number
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

/** Inodes may have 64 bits, and some file systems (overlayfs, network file systems) use the highest of them. */
const toStat = ({ blocks, dev, gid, ino, mode, rdev, size, uid }: Fs.BigIntStats): Stat => ({
  size: Number(size),
  mode: Number(mode),
  uid: Number(uid),
  gid: Number(gid),
  dev: Number(dev),
  ino: ino <= Number.MAX_SAFE_INTEGER ? Number(ino) : ino,
  rdev: Number(rdev),
  blocks: Number(blocks)
})

const answer =
  (done: (error: ErrnoError | null, stat: Stat) => void) =>
  (error: ErrnoError | null, stats: Fs.BigIntStats): void =>
    error === null ? done(null, toStat(stats)) : done(error, noStat)

/** What stands beside an error. */
const noStat: Stat = { size: 0, mode: 0, uid: 0, gid: 0, dev: 0, ino: 0, rdev: 0, blocks: 0 }

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
  inThread: nodeInThread
}

/**
 * The service. Its default is Node's own calls, so that no layer is needed to use real files; provide another one to put
 * a virtual disk under a whole migration.
 *
 * @stability unstable
 * @category services
 * @since 0.1.0
 */
export const FileCalls: Context.Reference<Calls> = Context.Reference<Calls>("effect-multifd/io/FileCalls", {
  defaultValue: () => node
})
