/**
 * Save, restore, convert, send and receive: the operations of the library, as a service.
 *
 * ```text
 *   save      blocks, and everything that is not RAM  ──▶ image
 *   restore   image ──▶ blocks
 *   convert   image ──▶ image
 *   send      image, or blocks and everything that is not RAM  ══▶ sockets ══▶ destination
 *   receive   source ══▶ sockets ══▶ image, or blocks and everything that is not RAM
 * ```
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { convert } from "./internal/convert.ts"
import { operation, operationWith } from "./internal/operation.ts"
import { receiveBlocks, receiveImage } from "./internal/receive.ts"
import { restore } from "./internal/restore.ts"
import { save } from "./internal/save.ts"
import { send } from "./internal/send.ts"
import type { MachineState } from "../snapshot/MachineState.ts"
import type { Received, ReceiveError, ReceiveIntoBlocks, ReceiveIntoImage } from "./ReceiveOptions.ts"
import type { SendError, SendOptions } from "./SendOptions.ts"
import type { SaveOptions, RestoreOptions, ConvertOptions, Summary, MigrationError } from "./internal/migrationModel.ts"

export type {
  ConvertOptions,
  MigrationError,
  RestoreOptions,
  SaveOptions,
  Summary,
  TransferOptions,
  WriteOptions
} from "./internal/migrationModel.ts"

/**
 * The operations. `E` is what reading or writing the caller's blocks can fail with.
 *
 * @stability stable
 * @category models
 * @since 0.1.0
 */
export interface Operations {
  /**
   * Saves RAM, and whatever else belongs to the machine, into a mapped-ram image that QEMU loads.
   *
   * **Failure effect**: the target is as it was and nothing is left beside it, after a failure and after an interruption,
   * but for what `keepPartial` keeps. An interruption that comes while the new image is being renamed, when all of it is
   * durable, finds it under its name.
   * Only a target that cannot be renamed over (a device, an `offset` in an existing file) is written in place: its old
   * content is lost from the offset on, and what is there is no image until the save has succeeded. With `live`, a writer
   * that was stopped or slowed down is let go on as before.
   */
  readonly save: <E = never>(options: SaveOptions<E>) => Effect.Effect<Summary, MigrationError | E>
  /**
   * Fills blocks with the pages of an image. Pages that the image does not have are made zero, so nothing stale remains.
   *
   * **Failure effect**: blocks that do not fit are found before any is touched; after that, any page of the blocks may be
   * the image's or what it was.
   */
  readonly restore: <E = never>(options: RestoreOptions<E>) => Effect.Effect<Summary, MigrationError | E>
  /**
   * Lays out an image anew as a plain mapped-ram file, as QEMU would have written it: bytes under clear bits are left
   * behind, and so is whatever libvirt put in front.
   *
   * **Failure effect**: as for `save`.
   */
  readonly convert: (options: ConvertOptions) => Effect.Effect<Summary, MigrationError>
  /**
   * Sends an image, or RAM and whatever else belongs to the machine, to a QEMU or a `receive` that waits for it, as a QEMU
   * source would. It succeeds when the destination has said that it has everything.
   *
   * **Failure effect**: all connections are closed, and the destination throws away what it has. Whether it has loaded
   * everything is unknown only where the connection broke, or the time ran out, in the phase `sync`.
   */
  readonly send: <E = never>(options: SendOptions<E>) => Effect.Effect<Summary, SendError | E>
  /**
   * Waits for one sender, a QEMU or a `send`, and writes its machine into a mapped-ram image as it arrives. A sender that
   * has asked for an answer (QEMU's `return-path`) is told that it is done when the image is durable under its name.
   *
   * **Failure effect**: as for `save`; all connections are closed, and the address can be listened on again. A sender that
   * has not asked for an answer may count as done what failed at the very last.
   */
  readonly receive: (options: ReceiveIntoImage) => Effect.Effect<Summary, ReceiveError>
  /**
   * Waits for one sender, and fills RAM blocks with its pages. Pages that it never speaks of are made zero.
   *
   * **Failure effect**: any page of the blocks may be the sender's or what it was; the rest as for `receive`.
   */
  readonly receiveBlocks: <E = never>(
    options: ReceiveIntoBlocks<E>
  ) => Effect.Effect<Summary & Received, ReceiveError | E>
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
 * The operations on files as `FileCalls` gives them, and on connections as `Network` does.
 *
 * @stability stable
 * @category constructors
 * @since 0.1.0
 */
export const make: Operations = {
  save: (options) => operation("save", options, (progress, _, last) => save(options, progress, last)),
  restore: (options) => operation("restore", options, (progress) => restore(options, progress)),
  convert: (options) => operation("convert", options, (progress, _, last) => convert(options, progress, last)),
  send: (options) => operation("send", options, (progress, commit) => send(options, progress, commit)),
  receive: (options) => operation("receive", options, (...args) => receiveImage(options, ...args)),
  receiveBlocks: <E>(options: ReceiveIntoBlocks<E>) =>
    Effect.map(
      operationWith<MachineState, ReceiveError | E>("receive", options, (progress, commit) =>
        receiveBlocks(options, progress, commit)
      ),
      ([summary, machineState]) => ({ ...summary, machineState })
    )
}

/**
 * Provides `Migration`.
 *
 * @stability stable
 * @category layers
 * @since 0.1.0
 */
export const layer: Layer.Layer<Migration> = Layer.succeed(Migration, make)
