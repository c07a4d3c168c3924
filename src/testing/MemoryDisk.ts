/**
 * A disk in memory: files, directories, links and devices under the library's system calls, for tests that inspect
 * everything and touch no real file.
 *
 * @since 0.1.0
 */
import * as Layer from "effect/Layer"
import * as Invariant from "../ram/Invariant.ts"
import { type Calls, type ErrnoError, FileCalls, type Stat } from "../io/files/FileCalls.ts"
import { EventLoop } from "./internal/eventLoop.ts"
import { Kernel } from "./internal/kernel.ts"
import { noStat } from "./internal/nodeForm.ts"
import { type Change, Tree } from "./internal/tree.ts"
import type { Later } from "./Simulation.ts"

/**
 * Options of a disk.
 *
 * @stability unstable
 * @category models
 * @since 0.1.0
 */
export interface Options {
  /**
   * Selects the order of concurrent calls: the same seed gives the same order. Default: the order in which they were
   * made.
   */
  readonly seed?: number | undefined
  /** Most bytes in all files, in units of 4 KiB; then `ENOSPC`. Default: no limit. */
  readonly capacity?: number | undefined
  /** `true` supports `O_DIRECT`, with its alignment rules. Default true. */
  readonly directIo?: boolean | undefined
  /** The clock of the files' times of modification, in milliseconds since 1970. Default: the system's. */
  readonly now?: (() => number) | undefined
  /**
   * The time at which calls complete. Default: in later turns of Node's event loop, one per turn; a `Simulation` has
   * its own.
   */
  readonly later?: Later | undefined
}

/**
 * A change that a power cut may undo: `Write`, `Truncate`, or `Names` for the effect of a create, rename or unlink on
 * directories. Nodes are numbers of files and directories.
 *
 * @stability unstable
 * @category models
 * @since 0.1.0
 */
export type Unsynced = Change

/**
 * Decides if a power cut spares a change. For a write, it may decide for each of its sectors of 512 bytes, counted from
 * the start of the file: the write is torn.
 *
 * @stability unstable
 * @category models
 * @since 0.1.0
 */
export type Keep = (change: Unsynced) => boolean | ((sector: number) => boolean)

/**
 * Orders the spared changes, with the pieces of torn writes separate, as they reached the disk.
 *
 * @stability unstable
 * @category models
 * @since 0.1.0
 */
export type Reorder = (changes: ReadonlyArray<Unsynced>) => ReadonlyArray<Unsynced>

/**
 * The disk, and the test's view of it. Files that the test adds are durable from the start.
 *
 * @stability unstable
 * @category models
 * @since 0.1.0
 */
export interface MemoryDisk {
  /** The system calls on this disk. They take effect only after the call has returned. */
  readonly calls: Calls
  /** Puts the disk under every program to which it is provided. */
  readonly layer: Layer.Layer<never>
  /** The paths of everything except directories, sorted. */
  readonly files: () => ReadonlyArray<string>
  /** The path by which each open descriptor was opened: empty if nothing leaks. */
  readonly openFiles: () => ReadonlyArray<string>
  /** The content of a file or device; `undefined` if there is none. */
  readonly read: (path: string) => Uint8Array | undefined
  /** `true` if a file or device has this content: faster than `read` if most of it is holes. */
  readonly holds: (path: string, content: Uint8Array) => boolean
  readonly stat: (path: string) => Stat | undefined
  /** Adds a file, with its directories. Mode 0o600 by default. */
  readonly write: (path: string, content: Uint8Array, options?: { readonly mode?: number | undefined }) => void
  /** Sets the permissions of a file or directory; those of the owner are enforced. */
  readonly chmod: (path: string, mode: number) => void
  /** Adds a symbolic link. */
  readonly link: (path: string, target: string) => void
  /** Adds another name for the file or device at `target`, which must exist: a hard link. */
  readonly hardLink: (path: string, target: string) => void
  /** Adds a block device of `size` bytes. */
  readonly device: (path: string, size: number) => void
  /** Adds a file without content: a directory, a FIFO, … A FIFO cannot be opened: that call never ends. */
  readonly special: (path: string, kind: "directory" | "fifo" | "socket" | "character device") => void
  /**
   * The disk after a power cut at this moment: the synced changes, and those that `keep` spares (default none), in
   * their original order, or in the order of `reorder`. Nothing is open, and the old disk continues unaffected.
   */
  readonly powerCut: (keep?: Keep, reorder?: Reorder) => MemoryDisk
}

/** The calls in Node's form: completed later, with the error first, followed by a meaningless value. */
const callsOf = (kernel: Kernel, loop: EventLoop): Calls => {
  const later = <A>(done: (error: ErrnoError | null, value: A) => void, nothing: A, work: () => A): void =>
    loop.submit(() => {
      let value = nothing
      let failure: ErrnoError | null = null
      try {
        value = work()
      } catch (error) {
        if (!(error instanceof Error)) throw error
        failure = error
      }
      done(failure, value)
    })
  const laterVoid = (done: (error: ErrnoError | null) => void, work: () => void): void => later(done, undefined, work)
  return {
    open: (path, flags, mode, done) => {
      if (!kernel.blocks(path)) later(done, -1, () => kernel.open(path, flags, mode))
    },
    close: (fd, done) => laterVoid(done, () => kernel.close(fd)),
    read: (fd, target, offset, length, position, done) =>
      later(done, 0, () => kernel.read(fd, target.subarray(offset, offset + length), position)),
    write: (fd, data, offset, length, position, done) =>
      later(done, 0, () => kernel.write(fd, data.subarray(offset, offset + length), position)),
    fdatasync: (fd, done) => laterVoid(done, () => kernel.sync("fdatasync", fd)),
    fsync: (fd, done) => laterVoid(done, () => kernel.sync("fsync", fd)),
    ftruncate: (fd, length, done) => laterVoid(done, () => kernel.truncate(fd, length)),
    fchmod: (fd, mode, done) => laterVoid(done, () => kernel.chmod(fd, mode)),
    fchown: (fd, uid, gid, done) => laterVoid(done, () => kernel.chown(fd, uid, gid)),
    fstat: (fd, done) => later(done, noStat, () => kernel.fstat(fd)),
    stat: (path, done) => later(done, noStat, () => kernel.stat(path)),
    readlink: (path, done) => later(done, "", () => kernel.readlink(path)),
    realpath: (path, done) => later(done, "", () => kernel.realpath(path)),
    rename: (from, to, done) => laterVoid(done, () => kernel.rename(from, to)),
    unlink: (path, done) => laterVoid(done, () => kernel.unlink(path)),
    link: (from, to, done) => laterVoid(done, () => kernel.link(from, to)),
    mkdir: (path, mode, done) => laterVoid(done, () => kernel.mkdir(path, mode)),
    readdir: (path, done) => later(done, [], () => kernel.readdir(path))
  }
}

const fromTree = (tree: Tree, options: Options): MemoryDisk => {
  const kernel = new Kernel(tree, {
    capacity: options.capacity ?? Number.POSITIVE_INFINITY,
    directIo: options.directIo ?? true,
    now: options.now ?? Date.now
  })
  const calls = callsOf(kernel, new EventLoop(options.seed, options.later))
  const node = (path: string) => tree.find(path)
  return {
    calls,
    layer: Layer.succeed(FileCalls, calls),
    files: () => [...tree.names()].map(([path]) => path).toSorted(),
    openFiles: () => kernel.openPaths(),
    read: (path) => node(path)?.content.bytes(),
    holds: (path, content) => node(path)?.content.equals(content) ?? false,
    stat: (path) => node(path)?.stat(),
    write: (path, content, { mode = 0o600 } = {}) => {
      const file = node(path) ?? tree.put(path, "file", mode)
      tree.record({ _tag: "Truncate", node: file.id, length: 0 })
      tree.record({ _tag: "Write", node: file.id, position: 0, bytes: new Uint8Array(content) })
      tree.record({ _tag: "Sync", node: file.id })
    },
    chmod: (path, mode) => {
      const found = node(path)
      if (found !== undefined) found.mode = mode
    },
    link: (path, target) => void tree.put(path, "link", 0o777, target),
    hardLink: (path, target) =>
      tree.putLink(path, Invariant.defined(tree.resolve("link", target, true).node, "a path that resolves has a node")),
    device: (path, size) => {
      const device = tree.put(path, "block device", 0o600)
      tree.record({ _tag: "Truncate", node: device.id, length: size })
      tree.record({ _tag: "Sync", node: device.id })
    },
    special: (path, kind) => void tree.put(path, kind, kind === "directory" ? 0o755 : 0o600),
    powerCut: (keep = () => false, reorder) => fromTree(tree.afterPowerCut(keep, reorder), options)
  }
}

const shuffle =
  (random: () => number): Reorder =>
  (changes) => {
    const shuffled = [...changes]
    for (let last = shuffled.length - 1; last > 0; last--) {
      const other = Math.floor(random() * (last + 1))
      const [taken] = shuffled.splice(other, 1, ...shuffled.slice(last, last + 1))
      shuffled[last] = Invariant.defined(taken, "a shuffle stays inside the list")
    }
    return shuffled
  }

/**
 * A possible outcome of a power cut, chosen by numbers in [0, 1): anything between losing nothing and losing everything
 * unsynced. In half of all cases writes are torn, and in half of all cases the remaining changes are in any order.
 *
 * **Example** (One of the states that a power cut may leave)
 *
 * ```ts
 * import { MemoryDisk, type Simulation } from "effect-multifd/testing"
 *
 * export const after = (disk: MemoryDisk.MemoryDisk, world: Simulation.World) =>
 *   disk.powerCut(...MemoryDisk.anyLoss(world.random))
 * ```
 *
 * @stability unstable
 * @category power cuts
 * @since 0.1.0
 */
export const anyLoss = (random: () => number): readonly [keep: Keep, reorder: Reorder | undefined] => {
  const odds = random()
  const torn = random() < 0.5 ? random() : 0
  const isKept = (): boolean => random() < odds
  return [() => (random() < torn ? isKept : isKept()), random() < 0.5 ? shuffle(random) : undefined]
}

/**
 * An empty disk.
 *
 * **Example** (A save that touches no real file)
 *
 * ```ts
 * import * as Effect from "effect/Effect"
 * import { AtomicFile } from "effect-multifd/io"
 * import { MemoryDisk } from "effect-multifd/testing"
 *
 * const program = Effect.gen(function* () {
 *   const disk = MemoryDisk.make({ seed: 1 })
 *   yield* AtomicFile.make({ path: "/image" }).pipe(
 *     Effect.flatMap(({ file, commit }) => Effect.andThen(file.write(0, new Uint8Array(8)), commit)),
 *     Effect.scoped,
 *     Effect.provide(disk.layer)
 *   )
 *   return { files: disk.files(), leaks: disk.openFiles(), afterPowerCut: disk.powerCut().read("/image") }
 * })
 * ```
 *
 * @stability unstable
 * @category constructors
 * @since 0.1.0
 */
export const make = (options: Options = {}): MemoryDisk => fromTree(new Tree(), options)
