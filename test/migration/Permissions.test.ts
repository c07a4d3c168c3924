/**
 * Guest memory is nobody else's business: images are created for their owner alone, as QEMU creates them, whatever the
 * umask; temporary files, which hold as much, from their first byte on.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Image from "../../src/image/Image.ts"
import * as MemoryPages from "../../src/ram/MemoryPages.ts"
import * as Migration from "../../src/migration/Migration.ts"
import * as Recover from "../../src/migration/Recover.ts"
import * as Seal from "../../src/image/Seal.ts"
import * as SocketAddress from "../../src/io/sockets/SocketAddress.ts"
import * as FaultyFiles from "../../src/testing/FaultyFiles.ts"
import * as MemoryDisk from "../../src/testing/MemoryDisk.ts"
import * as VirtualNetwork from "../../src/testing/VirtualNetwork.ts"

const { convert, receive, save, send } = Migration.make

const memory = new Uint8Array(64 * 4096).fill(5)
const saving = (target: string) =>
  Effect.flatMap(MemoryPages.make({ idstr: "pc.ram", memory }), (block) => save({ target, blocks: [block] }))

const converting = (target: string) =>
  Effect.scoped(Effect.flatMap(Image.open("/source.img"), (source) => convert({ source, target })))

const recovering = (target: string) => Recover.run({ source: "/source.img", target })

const receiving = Effect.fnUntraced(function* (target: string) {
  const at = SocketAddress.unix("/vm.sock")
  const listening = yield* Deferred.make<void>()
  const onListening = () => Effect.asVoid(Deferred.succeed(listening, undefined))
  const sending = Effect.gen(function* () {
    yield* Deferred.await(listening)
    return yield* send({ source: yield* Image.open("/source.img"), to: at })
  }).pipe(Effect.scoped)
  yield* Effect.all([receive({ listen: at, target, onListening }), sending], { concurrency: 2, discard: true })
})

/** Runs on a disk with an image, and gives the permissions of every file at every call but those of others. */
const modesDuring = Effect.fnUntraced(function* <E>(run: Effect.Effect<unknown, E>, disk: MemoryDisk.MemoryDisk) {
  const modes = new Map<string, Set<number>>()
  const look = () => {
    for (const path of disk.files().filter((path) => path !== "/source.img")) {
      const name = path.endsWith(".part") ? "temporary" : path
      const seen = modes.get(name) ?? new Set()
      modes.set(name, seen.add(disk.stat(path)!.mode & 0o7777))
    }
  }
  const files = FaultyFiles.make(() => void look(), disk.calls)
  const network = yield* VirtualNetwork.make()
  yield* run.pipe(Effect.provide(files.layer), Effect.provide(network.layer))
  look()
  return Object.fromEntries([...modes].map(([name, seen]) => [name, [...seen]]))
})

const withSource = Effect.gen(function* () {
  const disk = MemoryDisk.make()
  yield* Effect.provide(saving("/source.img"), disk.layer)
  return disk
})

describe("an image that is written by", () => {
  for (const [name, run] of Object.entries({
    save: saving,
    convert: converting,
    recover: recovering,
    receive: receiving
  })) {
    it.live(`${name} has mode 0600, from its first byte on`, () =>
      Effect.gen(function* () {
        const disk = yield* withSource
        const modes = yield* modesDuring(run("/vm.img"), disk)
        assert.deepStrictEqual(modes, { temporary: [0o600], "/vm.img": [0o600] })
      })
    )

    it.live(`${name} over another file has that one's permissions`, () =>
      Effect.gen(function* () {
        const disk = yield* withSource
        disk.write("/vm.img", new Uint8Array(10), { mode: 0o640 })
        const { "/vm.img": modes } = yield* modesDuring(run("/vm.img"), disk)
        assert.deepStrictEqual(modes, [0o640])
      })
    )
  }

  it.live("seal has the permissions that it had, and nothing lies beside it", () =>
    Effect.gen(function* () {
      const disk = yield* withSource
      disk.write("/vm.img", disk.read("/source.img")!, { mode: 0o600 })
      assert.deepStrictEqual(yield* modesDuring(Seal.run("/vm.img"), disk), { "/vm.img": [0o600] })
    })
  )
})
