/**
 * Save, restore, convert, send and receive: the operations of the library, as a service.
 *
 * ```text
 *   save      blocks, and everything that is not RAM  ──▶ target
 *   convert   source ──▶ target
 *   receive   sender ══▶ sockets ══▶ target
 *   restore   source ──▶ blocks
 *   send      source, or blocks and everything that is not RAM  ══▶ sockets ══▶ destination
 * ```
 *
 * A target is an image, RAM blocks, or any other `SnapshotTarget`; a source is an image, or any other `SnapshotSource`.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { operation } from "./internal/operation.ts"
import { receive } from "./internal/receive.ts"
import { restore } from "./internal/restore.ts"
import { save } from "./internal/save.ts"
import { send } from "./internal/send.ts"
import type { LastStep } from "../snapshot/SnapshotTarget.ts"
import type { ReceiveError, ReceiveOptions } from "./ReceiveOptions.ts"
import type { SendError, SendOptions } from "./SendOptions.ts"
import type {
  ConvertOptions,
  MigrationError,
  RestoreOptions,
  SaveOptions,
  Summary,
  Written
} from "./internal/migrationModel.ts"

export type {
  ConvertOptions,
  MigrationError,
  RestoreOptions,
  SaveOptions,
  Summary,
  Target,
  TransferOptions,
  WriteOptions,
  Written
} from "./internal/migrationModel.ts"

/**
 * The operations. `E` is the error of reading or writing the caller's blocks.
 *
 * @stability stable
 * @category models
 * @since 0.1.0
 */
export interface Operations {
  /**
   * Saves RAM and the rest of the machine into a mapped-ram image that QEMU loads, or into another target.
   *
   * **Failure effect**: that of the target, after a failure and after an interruption. An image is unchanged and no
   * other file is left, except what `keepPartial` keeps. If an interruption comes during the rename, when the new image
   * is durable, the new image gets its name. Only a target that cannot be renamed over (a device, an `offset` in an
   * existing file) is written in place. Its old content is lost from the offset, and it is not an image until the save
   * has succeeded. With `live`, a guest that was stopped or throttled is resumed at full speed.
   */
  readonly save: <E = never, A = void, E2 = never>(
    options: SaveOptions<E, A, E2>
  ) => Effect.Effect<Written<A>, MigrationError | E | E2>
  /**
   * Fills blocks with the pages of a source. Pages that the source does not have are zeroed, so no stale data remains.
   *
   * **Failure effect**: mismatching blocks are detected before any is touched; after that, each page of the blocks may
   * have its old content or the source's.
   */
  readonly restore: <E = never, E2 = never>(
    options: RestoreOptions<E, E2>
  ) => Effect.Effect<Summary, MigrationError | E | E2>
  /**
   * Copies a machine at rest from one place to another. An image is rewritten as a plain mapped-ram file, as QEMU would
   * have written it: bytes under clear bits and libvirt's header are dropped.
   *
   * **Failure effect**: as for `save`.
   */
  readonly convert: <E = never, A = void, E2 = never>(
    options: ConvertOptions<E, A, E2>
  ) => Effect.Effect<Written<A>, MigrationError | E | E2>
  /**
   * Sends a source, or RAM with the rest of the machine, to a QEMU or a `receive` that waits for it, as a QEMU source
   * would. Succeeds when the destination has confirmed that it has everything.
   *
   * **Failure effect**: all connections are closed, and the destination discards its data. It is unknown whether it has
   * loaded everything only if the connection broke, or the time ran out, in the phase `sync`.
   */
  readonly send: <E = never>(options: SendOptions<E>) => Effect.Effect<Summary, SendError | E>
  /**
   * Waits for one sender, a QEMU or a `send`, and writes its machine into a target as it arrives. A sender that has
   * asked for an answer (QEMU's `return-path`) gets it when the target is complete: an image is durable under its name.
   * Pages that the sender never mentions are zero.
   *
   * **Failure effect**: as for `save`; each page of blocks may have its old content or the sender's. All connections
   * are closed, and the address can be listened on again. A sender that has not asked for an answer may take a failure
   * at the very end for a success.
   */
  readonly receive: <A = void, E = never>(options: ReceiveOptions<A, E>) => Effect.Effect<Written<A>, ReceiveError | E>
}

/**
 * The service.
 *
 * **Example** (Saving memory)
 *
 * ```ts
 * import * as Effect from "effect/Effect"
 * import { MemoryPages, Migration } from "effect-multifd"
 *
 * export const program = Effect.gen(function* () {
 *   const migration = yield* Migration.Migration
 *   const ram = yield* MemoryPages.make({ idstr: "ram", memory: new Uint8Array(64 * 1024 * 1024) })
 *   return yield* migration.save({ target: "memory.img", blocks: [ram], channels: 4 })
 * }).pipe(Effect.provide(Migration.layer))
 * ```
 *
 * @stability stable
 * @category services
 * @since 0.1.0
 */
export class Migration extends Context.Service<Migration, Operations>()("effect-multifd/migration/Migration") {}

/**
 * The operations, on the files of `FileCalls` and the connections of `Network`.
 *
 * @stability stable
 * @category constructors
 * @since 0.1.0
 */
export const make: Operations = {
  save: (options) =>
    operation("save", options, (...run) => save("save", { ...options, notes: undefined }, options, ...run)),
  restore: (options) =>
    Effect.map(
      operation("restore", options, (progress) => restore(options, progress)),
      summaryOf
    ),
  convert: (options) => operation("convert", options, (...run) => save("convert", options.source, options, ...run)),
  send: (options) =>
    Effect.map(
      operation("send", options, (progress, last: LastStep<void>) => send(options, progress, last(Effect.void))),
      summaryOf
    ),
  receive: (options) => operation("receive", options, (...run) => receive(options, ...run))
}

/** The summary of an operation without a target of its own. */
const summaryOf = ({ value: _value, ...summary }: Written): Summary => summary

/**
 * Provides `Migration`.
 *
 * @stability stable
 * @category layers
 * @since 0.1.0
 */
export const layer: Layer.Layer<Migration> = Layer.succeed(Migration, make)
