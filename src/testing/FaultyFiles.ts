/**
 * System calls that fail or return short counts as a test plans.
 *
 * @since 0.1.0
 */
import * as Layer from "effect/Layer"
import { type Calls, type ErrnoError, FileCalls, node } from "../io/files/FileCalls.ts"
import { afterTurns } from "./internal/delay.ts"
import { nextTurn } from "./internal/eventLoop.ts"
import { errnoError, noStat } from "./internal/nodeForm.ts"
import type { Later } from "./Simulation.ts"
import type { Fault } from "./internal/faultyFilesModel.ts"

export { Fault } from "./internal/faultyFilesModel.ts"

/**
 * The calls that faults can affect. Only `read` and `write` move bytes, never the calling thread.
 *
 * @stability unstable
 * @category models
 * @since 0.1.0
 */
export type Name = Exclude<keyof Calls, "inThread">

/**
 * A system call before it reaches the kernel.
 *
 * @stability unstable
 * @category models
 * @since 0.1.0
 */
export interface Call {
  /** Counts all calls from 0. */
  readonly index: number
  readonly name: Name
  /** The file: for a call on a descriptor, the path by which it was opened; for a rename, the old name. */
  readonly path: string
  /** Position of a read or write. */
  readonly position: number | undefined
  /** Bytes of a read or write. */
  readonly length: number | undefined
}

/**
 * Decides the fault of each call; `undefined`: none. Calls on sockets ([FaultyNetwork](./FaultyNetwork.ts)) use the
 * same plans.
 *
 * @stability unstable
 * @category models
 * @since 0.1.0
 */
export type Plan<in C = Call> = (call: C) => Fault | undefined

/**
 * Options of fault injection.
 *
 * @stability unstable
 * @category models
 * @since 0.1.0
 */
export interface Options {
  /**
   * The time at which a call fails, and the unit of a `Delay`. Default: turns of Node's event loop; a `Simulation` has
   * its own.
   */
  readonly later?: Later | undefined
}

/**
 * The calls, and the test's view of them.
 *
 * @stability unstable
 * @category models
 * @since 0.1.0
 */
export interface FaultyFiles {
  readonly calls: Calls
  /** Injects the faults into every program to which it is provided. */
  readonly layer: Layer.Layer<never>
  /** Every call so far. */
  readonly log: () => ReadonlyArray<Call>
  /** The path by which each open descriptor was opened: empty if nothing leaks. */
  readonly openFiles: () => ReadonlyArray<string>
}

/**
 * No faults: the calls are only counted.
 *
 * @stability unstable
 * @category plans
 * @since 0.1.0
 */
export const none: Plan = () => undefined

/**
 * The fault affects only the call of this index.
 *
 * @stability unstable
 * @category plans
 * @since 0.1.0
 */
export const at =
  <C extends { readonly index: number } = Call>(index: number, fault: Fault): Plan<C> =>
  (call) =>
    call.index === index ? fault : undefined

/**
 * The fault affects every call from this index on that `matches` (default: all).
 *
 * @stability unstable
 * @category plans
 * @since 0.1.0
 */
export const from =
  <C extends { readonly index: number } = Call>(
    index: number,
    fault: Fault,
    matches: (call: C) => boolean = () => true
  ): Plan<C> =>
  (call) =>
    call.index >= index && matches(call) ? fault : undefined

/**
 * The fault affects every call that `matches`.
 *
 * @stability unstable
 * @category plans
 * @since 0.1.0
 */
export const when = (matches: (call: Call) => boolean, fault: Fault): Plan => from(0, fault, matches)

type Done<A> = (error: ErrnoError | null, value: A) => void

class Injector {
  readonly log: Array<Call> = []
  readonly paths = new Map<number, string>()
  readonly #plan: Plan
  readonly later: Later

  constructor(plan: Plan, later: Later) {
    this.#plan = plan
    this.later = later
  }

  pathOf(fd: number): string {
    return this.paths.get(fd) ?? `descriptor ${fd}`
  }

  meet(name: Name, path: string, position?: number, length?: number): Fault | undefined {
    const call = { index: this.log.length, name, path, position, length }
    this.log.push(call)
    return this.#plan(call)
  }

  /** Makes a call without a fault, or fails it with a meaningless value. */
  guard<A>(name: Name, path: string, done: Done<A>, nothing: A, run: () => void): void {
    const fault = this.meet(name, path)
    if (fault?._tag === "Fail") this.later(() => done(errnoError(fault.code, name, path), nothing))
    else afterTurns(fault, run, this.later)
  }

  /** Like `guard`, for a call without a result. */
  guardVoid(name: Name, path: string, done: (error: ErrnoError | null) => void, run: () => void): void {
    this.guard(name, path, done, undefined, run)
  }

  open(inner: Calls): Calls["open"] {
    return (path, flags, mode, done) =>
      this.guard("open", path, done, -1, () =>
        inner.open(path, flags, mode, (error, fd) => {
          if (!error) this.paths.set(fd, path)
          done(error, fd)
        })
      )
  }

  /** From here the number may belong to another file, whatever the outcome. */
  close(inner: Calls): Calls["close"] {
    return (fd, done) => {
      const path = this.pathOf(fd)
      const fault = this.meet("close", path)
      this.paths.delete(fd)
      afterTurns(
        fault,
        () => inner.close(fd, (error) => done(fault?._tag === "Fail" ? errnoError(fault.code, "close", path) : error)),
        this.later
      )
    }
  }

  transfer(inner: Calls, name: "read" | "write"): Calls["read"] {
    return (fd, bytes, offset, length, position, done) => {
      const fault = this.meet(name, this.pathOf(fd), position, length)
      if (fault?._tag === "Fail") {
        this.later(() => done(errnoError(fault.code, name, this.pathOf(fd)), 0))
      } else if (fault?._tag === "Short" && fault.bytes === 0) {
        this.later(() => done(null, 0))
      } else {
        const most = fault?._tag === "Short" ? fault.bytes : length
        const run = (): void => inner[name](fd, bytes, offset, Math.min(length, most), position, done)
        afterTurns(fault, run, this.later)
      }
    }
  }
}

const callsOf = (injector: Injector, inner: Calls): Calls => ({
  open: injector.open(inner),
  close: injector.close(inner),
  read: injector.transfer(inner, "read"),
  write: injector.transfer(inner, "write"),
  fdatasync: (fd, done) => injector.guardVoid("fdatasync", injector.pathOf(fd), done, () => inner.fdatasync(fd, done)),
  fsync: (fd, done) => injector.guardVoid("fsync", injector.pathOf(fd), done, () => inner.fsync(fd, done)),
  ftruncate: (fd, length, done) =>
    injector.guardVoid("ftruncate", injector.pathOf(fd), done, () => inner.ftruncate(fd, length, done)),
  fchmod: (fd, mode, done) =>
    injector.guardVoid("fchmod", injector.pathOf(fd), done, () => inner.fchmod(fd, mode, done)),
  fchown: (fd, uid, gid, done) =>
    injector.guardVoid("fchown", injector.pathOf(fd), done, () => inner.fchown(fd, uid, gid, done)),
  fstat: (fd, done) => injector.guard("fstat", injector.pathOf(fd), done, noStat, () => inner.fstat(fd, done)),
  stat: (path, done) => injector.guard("stat", path, done, noStat, () => inner.stat(path, done)),
  readlink: (path, done) => injector.guard("readlink", path, done, "", () => inner.readlink(path, done)),
  realpath: (path, done) => injector.guard("realpath", path, done, "", () => inner.realpath(path, done)),
  rename: (from, to, done) => injector.guardVoid("rename", from, done, () => inner.rename(from, to, done)),
  unlink: (path, done) => injector.guardVoid("unlink", path, done, () => inner.unlink(path, done)),
  link: (from, to, done) => injector.guardVoid("link", to, done, () => inner.link(from, to, done)),
  mkdir: (path, mode, done) => injector.guardVoid("mkdir", path, done, () => inner.mkdir(path, mode, done)),
  readdir: (path, done) => injector.guard("readdir", path, done, [], () => inner.readdir(path, done))
})

/**
 * Wraps other calls, by default Node's own, with faults.
 *
 * **Example** (The second write finds no space)
 *
 * ```ts
 * import * as Effect from "effect/Effect"
 * import { PositionalFile } from "effect-multifd/io"
 * import { FaultyFiles, MemoryDisk } from "effect-multifd/testing"
 *
 * const files = FaultyFiles.make(
 *   FaultyFiles.when(({ name, position }) => name === "write" && position === 4096, FaultyFiles.Fault.Fail({ code: "ENOSPC" })),
 *   MemoryDisk.make().calls
 * )
 * const program = PositionalFile.open("/ram", { access: "write", create: "if-missing" }).pipe(
 *   Effect.flatMap((file) => file.write(4096, new Uint8Array(4096))),
 *   Effect.scoped,
 *   Effect.flip, // NoSpaceError
 *   Effect.provide(files.layer)
 * )
 * ```
 *
 * @stability unstable
 * @category constructors
 * @since 0.1.0
 */
export const make = (plan: Plan, inner: Calls = node, { later = nextTurn }: Options = {}): FaultyFiles => {
  const injector = new Injector(plan, later)
  const calls = callsOf(injector, inner)
  return {
    calls,
    layer: Layer.succeed(FileCalls, calls),
    log: () => injector.log.slice(),
    openFiles: () => [...injector.paths.values()]
  }
}
