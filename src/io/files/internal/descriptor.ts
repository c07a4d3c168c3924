import * as Effect from "effect/Effect"
import type { Calls, ErrnoError } from "../FileCalls.ts"
import * as FileError from "../FileError.ts"
import type { FileKind } from "./fileKind.ts"
import { CallLimit } from "./callLimit.ts"
import { systemCall } from "./systemCall.ts"
import type { ThreadMover } from "./threadMover.ts"
import type { Direction } from "./transferModel.ts"

/**
 * The kernel takes buffered writes to a file one at a time: more of them only keep its processors spinning. With two,
 * one is in progress and the next is ready when it ends.
 */
const BUFFERED_WRITES = 2

/**
 * An open descriptor with the state for using its number safely. The number is closed only when no call uses it any
 * longer, and never used after that, because the kernel gives it to the next file.
 *
 *     open ──close──▶ closing ──last call has returned──▶ closed
 *
 * @internal
 */
export class Descriptor {
  readonly calls: Calls
  readonly fd: number
  readonly path: string
  readonly directIo: boolean
  /** `fdatasync` returns EINVAL on a character device such as /dev/null: there is nothing to sync. */
  readonly syncable: boolean
  /** The limit of concurrent writes, if there is one. */
  readonly writes: CallLimit | undefined
  /** Moves bytes without the thread pool, if possible. */
  readonly mover: ThreadMover | undefined

  /** `true` if there were writes since the last sync began. */
  unsynced = false
  #closing = false
  #underWay = 0
  #idle: (() => void) | undefined = undefined
  #syncFailure: FileError.FileError | undefined = undefined

  constructor(
    options: Pick<Descriptor, "calls" | "fd" | "path" | "directIo"> & {
      readonly kind: FileKind
      readonly mover?: ThreadMover | undefined
    }
  ) {
    this.calls = options.calls
    this.fd = options.fd
    this.path = options.path
    this.directIo = options.directIo
    this.mover = options.mover
    this.syncable = options.kind !== "character device"
    this.writes = options.kind === "file" && !options.directIo ? new CallLimit(BUFFERED_WRITES) : undefined
  }

  /** The reason why the descriptor cannot be used; if there is none, the caller must `leave` later. */
  enter(what: FileError.Call): FileError.FileError | undefined {
    if (this.#closing) return new FileError.FileIoError({ ...what, code: "EBADF", cause: new Error("it is closed") })
    this.#underWay++
    return undefined
  }

  leave(): void {
    if (--this.#underWay === 0) this.#idle?.()
  }

  /** Lends the number for calls that bypass `calls`, as long as `use` runs. */
  lend<A, E>(
    direction: Direction,
    use: (fd: number) => Effect.Effect<A, E>
  ): Effect.Effect<A, E | FileError.FileError> {
    return Effect.suspend((): Effect.Effect<A, E | FileError.FileError> => {
      const refusal = this.enter({ operation: direction, path: this.path })
      if (refusal !== undefined) return Effect.fail(refusal)
      if (direction === "write") this.unsynced = true
      return Effect.ensuring(
        use(this.fd),
        Effect.sync(() => this.leave())
      )
    })
  }

  /** One system call on the descriptor. */
  call<A = void>(
    what: Omit<FileError.Call, "path">,
    start: (fd: number, done: (error: ErrnoError | null, value: A) => void) => void
  ): Effect.Effect<A, FileError.FileError> {
    return Effect.suspend(() => {
      const named = { ...what, path: this.path }
      const refusal = this.enter(named)
      if (refusal !== undefined) return Effect.fail(refusal)
      return Effect.ensuring(
        systemCall<A>(named, (done) => start(this.fd, done)),
        Effect.sync(() => this.leave())
      )
    }).pipe(Effect.uninterruptible)
  }

  /**
   * After a failed sync the kernel counts the lost pages as clean, so the next sync would report success: a failure is
   * permanent.
   */
  readonly sync: Effect.Effect<void, FileError.FileError> = Effect.suspend(() => {
    if (this.#syncFailure !== undefined) return Effect.fail(this.#syncFailure)
    this.unsynced = false
    if (!this.syncable) return Effect.void
    return this.call({ operation: "sync" }, (fd, done) => this.calls.fdatasync(fd, (error) => done(error))).pipe(
      Effect.tapError((error) => Effect.sync(() => void (this.#syncFailure = error)))
    )
  })

  readonly #whenIdle: Effect.Effect<void> = Effect.callback<void>((resume) => {
    if (this.#underWay === 0) resume(Effect.void)
    else this.#idle = () => resume(Effect.void)
  })

  /** Closes once, after the calls in progress have ended. */
  readonly close: Effect.Effect<void, FileError.FileError> = Effect.suspend(() => {
    if (this.#closing) return Effect.void
    this.#closing = true
    return Effect.andThen(
      this.#whenIdle,
      systemCall({ operation: "close", path: this.path }, (done) => this.calls.close(this.fd, (error) => done(error)))
    )
  }).pipe(Effect.uninterruptible)

  /** Failures while leaving a scope cannot be reported, so they are logged. */
  release(options: { readonly sync: boolean }): Effect.Effect<void> {
    const sync = Effect.suspend(() =>
      options.sync && this.unsynced && !this.#closing && this.#syncFailure === undefined ? this.sync : Effect.void
    )
    return Effect.andThen(Effect.ignore(sync, { log: "Error" }), Effect.ignore(this.close, { log: "Error" }))
  }
}
