/**
 * The library at work on the files of a test: RAM blocks are files, images are paths.
 */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Result from "effect/Result"
import type * as Scope from "effect/Scope"
import * as Fs from "node:fs"
import * as FilePages from "../../../src/io/files/FilePages.ts"
import * as MigrationUri from "../../../src/io/sockets/MigrationUri.ts"
import * as SocketAddress from "../../../src/io/sockets/SocketAddress.ts"
import * as Image from "../../../src/image/Image.ts"
import type { VerifyOptions } from "../../../src/image/Integrity.ts"
import type * as Location from "../../../src/image/Location.ts"
import * as Migration from "../../../src/migration/Migration.ts"
import type { ReceiveError, ReceiveOptions } from "../../../src/migration/ReceiveOptions.ts"
import type { SendOptions } from "../../../src/migration/SendOptions.ts"
import * as MemoryPages from "../../../src/ram/MemoryPages.ts"

/** A RAM block in a file. */
export interface BlockFile {
  readonly idstr: string
  readonly path: string
}

type Options = Migration.TransferOptions

/** Restores blocks of an image to files of the blocks' length, new ones or such as are there. */
export const restore = Effect.fnUntraced(function* (
  source: string | Location.Location,
  files: ReadonlyArray<BlockFile & { readonly size: number }>,
  options: Options = {}
) {
  const migration = yield* Migration.Migration
  const image = yield* Image.open(source)
  const blocks = yield* Effect.forEach(files, ({ idstr, path, size }) =>
    FilePages.make({ idstr, path, length: size, access: "read-write" })
  )
  return yield* migration.restore({ source: image, blocks, ...options })
}, Effect.scoped)

/** Restores one block of an image to memory of this process that is full of something else before. */
export const restoreToMemory = Effect.fnUntraced(function* (
  source: string | Location.Location,
  idstr: string,
  size: number,
  options: Options = {},
  verification: VerifyOptions = {}
) {
  const migration = yield* Migration.Migration
  const image = yield* Image.open(source, verification)
  const memory = Buffer.alloc(size, 0xa5)
  const block = yield* MemoryPages.make({ idstr, memory })
  yield* migration.restore({ source: image, blocks: [block], ...options })
  return memory
}, Effect.scoped)

/** Writes any image anew. */
export const convert = Effect.fnUntraced(function* (
  source: string | Location.Location,
  target: string | Location.Location,
  options: Options & Pick<Migration.WriteOptions, "coalescePages" | "seal" | "keepPartial"> = {}
) {
  const migration = yield* Migration.Migration
  const image = yield* Image.open(source)
  return yield* migration.convert({ source: image, target, ...options })
}, Effect.scoped)

/** The address in a URI of a socket. */
export const addressOf = (uri: string): SocketAddress.SocketAddress => {
  const address = Result.getOrThrow(MigrationUri.parse(uri))
  if (address._tag === "File") throw new Error(`${uri} is no socket`)
  return address
}

/** Sends an image to whoever listens at a URI. */
export const send = Effect.fnUntraced(function* (
  image: string | Location.Location,
  uri: string,
  options: Omit<SendOptions, "source" | "to"> = {}
) {
  const migration = yield* Migration.Migration
  return yield* migration.send({ source: yield* Image.open(image), to: addressOf(uri), ...options })
}, Effect.scoped)

/** Who waits for a sender. */
export interface Receiving {
  /** Where, with the real port. */
  readonly uri: string
  /** Waits for the end. */
  readonly received: Effect.Effect<Migration.Summary, ReceiveError>
}

/** Listens at a URI and receives into an image; it goes on in the scope. */
export const receive = Effect.fnUntraced(function* (
  uri: string,
  target: string | Location.Location,
  options: Omit<ReceiveOptions, "listen" | "target" | "onListening"> = {}
): Effect.fn.Return<Receiving, ReceiveError, Migration.Migration | Scope.Scope> {
  const migration = yield* Migration.Migration
  const listening = yield* Deferred.make<SocketAddress.SocketAddress>()
  const fiber = yield* Effect.forkScoped(
    migration.receive({
      ...options,
      listen: addressOf(uri),
      target,
      onListening: (address) => Effect.asVoid(Deferred.succeed(listening, address))
    })
  )
  const received = Fiber.join(fiber)
  const address = yield* Effect.raceFirst(Deferred.await(listening), Effect.andThen(received, Effect.never))
  return { uri: SocketAddress.format(address), received }
})

/** Saves files as RAM blocks together with everything else of the machine in an image. */
export const saveWithStateOf = Effect.fnUntraced(function* (
  machine: string | Location.Location,
  files: ReadonlyArray<BlockFile>,
  target: string | Location.Location,
  options: Options & { readonly coalescePages?: number } = {}
) {
  const migration = yield* Migration.Migration
  const image = yield* Image.open(machine)
  const own = yield* Effect.forEach(files, ({ idstr, path }) =>
    FilePages.make({ idstr, path, length: Fs.statSync(path).size, access: "read" })
  )
  const others = image.blocks.filter(({ idstr }) => !own.some((block) => block.idstr === idstr))
  return yield* migration.save({
    ...options,
    target,
    blocks: [...own, ...others],
    machineState: image.machineState
  })
}, Effect.scoped)
