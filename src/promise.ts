/**
 * The operations as plain promises, for programs that do not use Effect. They work on the system's files and sockets.
 *
 * A promise rejects with the operation's typed error: `error._tag` identifies it, `error.message` describes it.
 * Aborting `signal` interrupts the operation, which rolls back before the promise rejects.
 *
 * ```ts
 * import { loadMemory, saveMemory } from "effect-multifd/promise"
 *
 * const memory = new Uint8Array(1024 * 1024)
 * await saveMemory("machine.img", { ram: memory, devices: { cpu: new Uint8Array(64) } })
 * const { ram, devices } = await loadMemory("machine.img")
 * console.log(ram["ram"]?.length, devices["cpu"]?.length)
 * ```
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as SavedMemory from "./entry/savedMemory.ts"
import * as ImageFile from "./image/Image.ts"
import type { VerifyOptions } from "./image/Integrity.ts"
import type { Location } from "./image/Location.ts"
import * as Verify from "./image/Verify.ts"
import type { SocketAddress } from "./io/sockets/SocketAddress.ts"
import * as Migration from "./migration/Migration.ts"
import type { ReceiveOptions } from "./migration/ReceiveOptions.ts"
import type { SendOptions } from "./migration/SendOptions.ts"
import * as CaptureMachine from "./qemu/Capture.ts"
import * as QmpClient from "./qemu/QmpClient.ts"
import * as ResumeMachine from "./qemu/Resume.ts"

/**
 * Options of every promise.
 *
 * @stability stable
 * @category models
 * @since 0.1.0
 */
export interface RunOptions {
  /** Interrupts the operation. */
  readonly signal?: AbortSignal | undefined
}

const run = <A, E>(
  effect: Effect.Effect<A, E, Migration.Migration | Scope.Scope>,
  { signal }: RunOptions
): Promise<A> =>
  Effect.runPromise(effect.pipe(Effect.scoped, Effect.provide(Migration.layer)), signal === undefined ? {} : { signal })

/**
 * `Image.save`: memory of this process into an image.
 *
 * @stability stable
 * @category running
 * @since 0.1.0
 */
export const saveMemory = (
  target: string | Location,
  { signal, ...options }: SavedMemory.SaveMemoryOptions & RunOptions
): Promise<Migration.Summary> => run(SavedMemory.save(target, options), { signal })

/**
 * `Image.load`: an image into memory of this process.
 *
 * @stability stable
 * @category running
 * @since 0.1.0
 */
export const loadMemory = (
  source: string | Location,
  { signal, ...options }: SavedMemory.LoadMemoryOptions & RunOptions = {}
): Promise<SavedMemory.LoadedMemory> => run(SavedMemory.load(source, options), { signal })

/**
 * `Image.inspect`: the contents of a file, and all problems with it.
 *
 * @stability stable
 * @category running
 * @since 0.1.0
 */
export const inspect = (
  source: string | Location,
  { signal, ...options }: VerifyOptions & RunOptions = {}
): Promise<Omit<ImageFile.Inspection, "blocks">> => run(ImageFile.inspect(source, options), { signal })

/**
 * `Image.verify`: compares an image with its checksums.
 *
 * @stability stable
 * @category running
 * @since 0.1.0
 */
export const verify = (
  source: string | Location,
  { signal, ...options }: Verify.Options & RunOptions = {}
): Promise<Verify.Report> => run(Verify.run(source, options), { signal })

/**
 * `Migration.convert`, from one file to another.
 *
 * @stability stable
 * @category running
 * @since 0.1.0
 */
export const convert = (
  source: string | Location,
  { key, signal, verify, ...options }: Omit<Migration.ConvertOptions, "source"> & VerifyOptions & RunOptions
): Promise<Migration.Summary> =>
  run(
    Effect.flatMap(ImageFile.open(source, { key, verify }), (image) =>
      Migration.make.convert({ ...options, source: image })
    ),
    { signal }
  )

/**
 * `Migration.send`, of an image in a file.
 *
 * @stability stable
 * @category running
 * @since 0.1.0
 */
export const send = (
  source: string | Location,
  { key, signal, verify, ...options }: Omit<SendOptions, "source"> & VerifyOptions & RunOptions
): Promise<Migration.Summary> =>
  run(
    Effect.flatMap(ImageFile.open(source, { key, verify }), (image) =>
      Migration.make.send({ ...options, source: image })
    ),
    { signal }
  )

/**
 * `Migration.receive`, into an image in a file.
 *
 * @stability stable
 * @category running
 * @since 0.1.0
 */
export const receive = ({ signal, ...options }: ReceiveOptions & RunOptions): Promise<Migration.Summary> =>
  run(Migration.make.receive(options), { signal })

/**
 * `Capture.run`, over the monitor at an address.
 *
 * @stability stable
 * @category running
 * @since 0.1.0
 */
export const capture = (
  monitor: SocketAddress,
  { signal, ...options }: Omit<CaptureMachine.Options, "qmp"> & RunOptions
): Promise<CaptureMachine.Captured> =>
  run(
    Effect.flatMap(QmpClient.make({ address: monitor }), (qmp) => CaptureMachine.run({ ...options, qmp })),
    { signal }
  )

/**
 * `Resume.run`, over the monitor at an address, from an image in a file.
 *
 * @stability stable
 * @category running
 * @since 0.1.0
 */
export const resume = (
  monitor: SocketAddress,
  image: string | Location,
  { key, signal, verify, ...options }: Omit<ResumeMachine.Options, "qmp" | "source"> & VerifyOptions & RunOptions = {}
): Promise<ResumeMachine.Resumed> =>
  run(
    Effect.gen(function* () {
      const opened = yield* ImageFile.open(image, { key, verify })
      const qmp = yield* QmpClient.make({ address: monitor })
      return yield* ResumeMachine.run({ ...options, qmp, source: opened })
    }),
    { signal }
  )
