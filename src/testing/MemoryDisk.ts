/**
 * A disk in memory: files, directories, links and devices behind the system calls that the library makes, for tests that
 * want to see everything and touch nothing.
 *
 * @since 0.1.0
 */
import * as Layer from "effect/Layer"
import { type Calls, type ErrnoError, FileCalls, type Stat } from "../io/files/FileCalls.ts"
import { EventLoop } from "./internal/eventLoop.ts"
import { Kernel } from "./internal/kernel.ts"
import { noStat } from "./internal/nodeForm.ts"
import { type Change, Tree } from "./internal/tree.ts"
import type { Later } from "./Simulation.ts"

/**
 * How a disk behaves.
 *
 * @stability unstable
 * @category models
 * @since 0.1.0
 */
export interface Options {
  /**
   * Chooses the order in which calls that are under way at the same time are done: the same seed, the same order. Default:
   * the order in which they were made.
   */
  readonly seed?: number | undefined
  /** Bytes that files can take, in units of 4 KiB; then `ENOSPC`. Default: no limit. */
  readonly capacity?: number | undefined
  /** Whether `O_DIRECT` is possible; its rules for alignment are then enforced. Default true. */
  readonly directIo?: boolean | undefined
  /** When calls are done. Default: in later turns of Node's event loop, one a turn; a `Simulation` has its own. */
  readonly later?: Later | undefined
}

/**
 * Something that a power cut may undo: `Write`, `Truncate`, or `Names` for what a create, rename or unlink did to
 * directories. Nodes are numbers of files and directories.
 *
 * @stability unstable
 * @category models
 * @since 0.1.0
 */
export type Unsynced = Change

/**
 * Says of a change whether a power cut spares it; of a write, also which of its sectors of 512 bytes, counted from the
 * beginning of the file: the write is torn.
 *
 * @stability unstable
 * @category models
 * @since 0.1.0
 */
export type Keep = (change: Unsynced) => boolean | ((sector: number) => boolean)

/**
 * Puts what a power cut spares, pieces of torn writes one by one, into the order in which it reached the disk.
 *
 * @stability unstable
 * @category models
 * @since 0.1.0
 */
export type Reorder = (changes: ReadonlyArray<Unsynced>) => ReadonlyArray<Unsynced>

/**
 * The disk, and the test's view of it. What the test puts there is durable from the start.
 *
 * @stability unstable
 * @category models
 * @since 0.1.0
 */
export interface MemoryDisk {
  /** The system calls on this disk. Nothing is done before the call has returned. */
  readonly calls: Calls
  /** Puts the disk under everything that it is provided to. */
  readonly layer: Layer.Layer<never>
  /** The paths of everything but directories, sorted. */
  readonly files: () => ReadonlyArray<string>
  /** The path that each open descriptor was opened by: empty when nothing leaks. */
  readonly openFiles: () => ReadonlyArray<string>
  /** The content of a file or device; `undefined` if there is none. */
  readonly read: (path: string) => Uint8Array | undefined
  /** Whether a file or device has this content: quicker than `read` where most of it is holes. */
  readonly holds: (path: string, content: Uint8Array) => boolean
  readonly stat: (path: string) => Stat | undefined
  /** Puts a file there, with its directories. Mode 0o600 by default. */
  readonly write: (path: string, content: Uint8Array, options?: { readonly mode?: number | undefined }) => void
  /** Sets the permissions of a file or directory, of which the owner's are enforced. */
  readonly chmod: (path: string, mode: number) => void
  /** Puts a symbolic link there. */
  readonly link: (path: string, target: string) => void
  /** Gives the file or device at `target`, which has to be there, another name: a hard link. */
  readonly hardLink: (path: string, target: string) => void
  /** Puts a block device of `size` bytes there. */
  readonly device: (path: string, size: number) => void
  /** Puts something there that has no content: a directory, a fifo, … A fifo cannot be opened: that call never ends. */
  readonly special: (path: string, kind: "directory" | "fifo" | "socket" | "character device") => void
  /**
   * The disk after a power cut at this moment: what was synced, and of the rest what `keep` spares (default nothing), in
   * the order in which it happened, or in the one that `reorder` makes of it. Nothing is open, and the old disk goes on as
   * if nothing had happened.
   */
  readonly powerCut: (keep?: Keep, reorder?: Reorder) => MemoryDisk
}

/** The calls in Node's form: done later, the error first, and then a value that means nothing. */
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
    unlink: (path, done) => laterVoid(done, () => kernel.unlink(path))
  }
}

const fromTree = (tree: Tree, options: Options): MemoryDisk => {
  const kernel = new Kernel(tree, {
    capacity: options.capacity ?? Number.POSITIVE_INFINITY,
    directIo: options.directIo ?? true
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
    hardLink: (path, target) => tree.putLink(path, tree.resolve("link", target, true).node!),
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
      ;[shuffled[last], shuffled[other]] = [shuffled[other]!, shuffled[last]!]
    }
    return shuffled
  }

/**
 * What a power cut may do, chosen by numbers in [0, 1): anything between losing nothing and losing everything that was not
 * synced; in half of all cases writes are torn, and in half of all cases what is left is in any order.
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
