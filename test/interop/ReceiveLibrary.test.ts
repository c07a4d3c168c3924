import { assert, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Fs from "node:fs"
import * as Path from "node:path"
import * as SocketAddress from "../../src/io/sockets/SocketAddress.ts"
import * as Image from "../../src/image/Image.ts"
import * as BlocksTarget from "../../src/snapshot/BlocksTarget.ts"
import * as Migration from "../../src/migration/Migration.ts"
import type { ReceiveOptions } from "../../src/migration/ReceiveOptions.ts"
import * as MemoryPages from "../../src/ram/MemoryPages.ts"
import { itSpace } from "../support/qemu/it.ts"
import * as Files from "../support/qemu/files.ts"
import * as Guest from "../support/qemu/guest.ts"
import * as Migrate from "../support/qemu/migrate.ts"
import * as Pattern from "../support/qemu/pattern.ts"
import * as Sockets from "../support/qemu/sockets.ts"
import { describeQemu } from "../support/qemu/suite.ts"
import * as Workload from "../support/qemu/workload.ts"
import * as Workspace from "../support/qemu/workspace.ts"

const MIB = 1024 * 1024
const SIZE = 16 * MIB

/** Has the library listen, whatever it receives into, and a guest migrate to it. If both fail, the library is to say why. */
const received = Effect.fnUntraced(function* <A, E, E2>(
  receive: (onListening: (address: SocketAddress.SocketAddress) => Effect.Effect<void>) => Effect.Effect<A, E>,
  send: (uri: string) => Effect.Effect<unknown, E2>
) {
  const address = yield* Deferred.make<SocketAddress.SocketAddress>()
  const fiber = yield* Effect.forkChild(receive((at) => Effect.asVoid(Deferred.succeed(address, at))))
  const failed = Effect.andThen(Fiber.join(fiber), Effect.never)
  const uri = SocketAddress.format(yield* Effect.raceFirst(Deferred.await(address), failed))
  const sent = yield* Effect.exit(send(uri))
  const result = yield* Fiber.join(fiber)
  yield* sent
  return result
})

const filesBeside = (path: string): ReadonlyArray<string> => Fs.readdirSync(Path.dirname(path)).toSorted()

interface Capture extends Sockets.Options, Migrate.Passes {
  readonly machine?: string | undefined
  readonly receive?: Partial<ReceiveOptions> | undefined
}

const anyPort = SocketAddress.tcp("127.0.0.1", 0)

/** Captures a guest into an image, over as many channels as it has, with the compression that it has. */
const capture = Effect.fnUntraced(function* (guest: Guest.Guest, target: string, options: Capture) {
  const migration = yield* Migration.Migration
  const { channels = 0, compression } = options
  return yield* received(
    (onListening) =>
      migration.receive({ listen: anyPort, target, channels, compression, onListening, ...options.receive }),
    (uri) => Sockets.send(guest, uri, options)
  )
})

/** Loads an image into a fresh guest and compares its main memory with a file. */
const loadsTo = Effect.fnUntraced(function* (space: Workspace.Workspace, path: string, ram: string) {
  const copy = space.ram(`copy-of-${path.replaceAll("/", "-")}`)
  const guest = yield* Guest.start({ ram: { file: copy, size: SIZE }, incoming: true })
  yield* Migrate.loadCompletely(guest, { path })
  assert.strictEqual(Files.firstDifference(ram, copy), undefined)
})

const compressions = ["none", "zlib", "zstd"] as const

/** The guest dirties its memory up to here. */
const END = 8 * MIB

/** A guest that dirties its memory is captured while it runs. */
const captureRunning = (options: Capture) =>
  Effect.gen(function* () {
    const space = yield* Workspace.make
    const [ram, path, boot] = [space.ram("ram"), space.file("image"), space.file("boot")]
    Workload.writeDisk(boot, END)
    Workload.writeMemory(ram, SIZE, END)
    const guest = yield* Guest.start({ machine: options.machine, ram: { file: ram, size: SIZE }, boot })
    yield* Workload.reach(ram, 2)
    yield* capture(guest, path, { passes: 3, ...options })
    const image = yield* Image.open(path)
    const memory = yield* image.readPages(Guest.MAIN_BLOCK, 0, SIZE)
    assert.isTrue(Fs.readFileSync(ram).equals(memory))

    const [revived, other] = [space.ram("revived"), space.file("boot2")]
    Workload.writeDisk(other, END)
    const twin = yield* Guest.start({
      machine: options.machine,
      ram: { file: revived, size: SIZE },
      boot: other,
      incoming: true
    })
    yield* Migrate.loadCompletely(twin, { path })
    yield* Workload.reach(revived, Workload.round(ram) + 2)
    yield* twin.qmp.execute("stop")
    assert.doesNotThrow(() => Workload.position(revived, END))
  }).pipe(Effect.scoped, Effect.provide(Migration.layer))

describeQemu("a guest that runs and dirties its memory, received into an image", () => {
  for (const channels of [0, 1, 4]) {
    for (const compression of channels === 0 ? (["none"] as const) : compressions) {
      it.live(
        `${channels} channels, ${compression}: is the memory of the moment it stopped, and goes on`,
        // What compresses well goes through at once, however slowly it may be sent.
        () => captureRunning({ channels, compression, passes: compression === "none" ? 3 : 0 })
      )
    }
  }
  it.live("an old machine type", () => captureRunning({ channels: 2, machine: "pc-i440fx-8.0" }))
  it.live("with zero pages on the main channel", () => captureRunning({ channels: 2, zeroPages: "legacy" }))
  it.live("which waits until it is allowed to switch over", () =>
    captureRunning({ channels: 2, passes: 0, capabilities: ["return-path", "switchover-ack"] })
  )
  it.live("with changes of pages instead of pages", () => captureRunning({ capabilities: ["xbzrle"] }))
})

describeQemu("a guest received into RAM blocks", () => {
  it.live("fills memory that is full of something else, and gives what the machine is beside it", () =>
    Effect.gen(function* () {
      const migration = yield* Migration.Migration
      const space = yield* Workspace.make
      const [ram, path] = [space.ram("ram"), space.file("image")]
      Pattern.writeFile(ram, "mixed", SIZE)
      const guest = yield* Guest.start({ ram: { file: ram, size: SIZE } })
      const memories = new Map<string, Buffer>()
      const { value: machineState } = yield* received(
        (onListening) =>
          migration.receive({
            listen: anyPort,
            onListening,
            target: BlocksTarget.make((announced) =>
              Effect.forEach(announced, ({ idstr, usedLength }) => {
                const memory = Buffer.alloc(usedLength, 0xa5)
                memories.set(idstr, memory)
                return Effect.orDie(MemoryPages.make({ idstr, memory }))
              })
            )
          }),
        (uri) => Sockets.send(guest, uri, { channels: 2 })
      )
      assert.isTrue(Fs.readFileSync(ram).equals(memories.get(Guest.MAIN_BLOCK)!))

      const blocks = yield* Effect.forEach(memories, ([idstr, memory]) => MemoryPages.make({ idstr, memory }))
      yield* migration.save({ target: path, blocks, machineState })
      yield* loadsTo(space, path, ram)
    }).pipe(Effect.provide(Migration.layer))
  )
})

describeQemu("a guest whose migration fails", () => {
  it.live("goes on when it is cancelled; the receiver says that the connection ended, and nothing is left", () =>
    Effect.gen(function* () {
      const migration = yield* Migration.Migration
      const space = yield* Workspace.make
      const [ram, path] = [space.ram("ram"), space.file("image")]
      Pattern.writeFile(ram, "random", SIZE)
      const guest = yield* Guest.start({ ram: { file: ram, size: SIZE } })
      const error = yield* Effect.flip(
        received(
          (onListening) => migration.receive({ listen: anyPort, target: path, channels: 2, onListening }),
          (uri) => Migrate.abandon(guest, uri, { channels: 2 })
        )
      )
      assert.include(["ConnectionEndedError", "ConnectionLostError"], error._tag)
      assert.deepStrictEqual(filesBeside(path), [])
      yield* capture(guest, path, { channels: 2 })
      yield* loadsTo(space, path, ram)
    }).pipe(Effect.provide(Migration.layer))
  )

  itSpace("hears on its return path that the receiver could not go on, and goes on itself", function* (space) {
    const ram = space.ram("ram")
    Pattern.writeFile(ram, "random", SIZE)
    const guest = yield* Guest.start({ ram: { file: ram, size: SIZE } })
    const limits = { maxRam: MIB }
    const options = { channels: 2, capabilities: ["return-path"], receive: { limits } }
    const error = yield* Effect.flip(capture(guest, space.file("image"), options))
    assert.strictEqual(error._tag, "ProtocolError")
    yield* guest.qmp.execute("cont")
  })
})
