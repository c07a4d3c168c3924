import { assert, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Result from "effect/Result"
import * as Stream from "effect/Stream"
import * as Fs from "node:fs"
import * as FilePages from "../../src/io/files/FilePages.ts"
import * as MigrationUri from "../../src/io/sockets/MigrationUri.ts"
import type { SocketAddress } from "../../src/io/sockets/SocketAddress.ts"
import * as Image from "../../src/image/Image.ts"
import * as Migration from "../../src/migration/Migration.ts"
import * as Progress from "../../src/migration/Progress.ts"
import type { SendOptions } from "../../src/migration/SendOptions.ts"
import { itSpace } from "../support/qemu/it.ts"
import * as Files from "../support/qemu/files.ts"
import * as Fixtures from "../support/qemu/fixtures.ts"
import * as Guest from "../support/qemu/guest.ts"
import * as Migrate from "../support/qemu/migrate.ts"
import * as QemuImage from "../support/qemu/qemuImage.ts"
import * as Sockets from "../support/qemu/sockets.ts"
import { describeQemu } from "../support/qemu/suite.ts"
import * as Workload from "../support/qemu/workload.ts"

const MIB = 1024 * 1024

/** How the migration goes, and how the guest that waits for it was told. */
interface Way {
  readonly recipe?: Fixtures.Recipe | undefined
  readonly transport?: "tcp" | "unix" | undefined
  /** For both sides. Default 2. */
  readonly channels?: number | undefined
  readonly compression?: "none" | "zlib" | "zstd" | undefined
  /** Ours alone. */
  readonly send?: Partial<SendOptions> | undefined
}

const addressOf = (uri: string): SocketAddress => {
  const address = Result.getOrThrow(MigrationUri.parse(uri))
  assert(address._tag !== "File")
  return address
}

/** A guest like the one that was saved, which listens. */
const waitingGuest = (saved: Fixtures.Saved, { channels = 2, compression, transport = "tcp" }: Way) =>
  Effect.gen(function* () {
    const { fresh } = yield* Fixtures.Fixtures
    const [ram, dimm] = [fresh("ram"), fresh("ram")]
    const guest = yield* Guest.start({
      machine: saved.recipe.machine,
      args: saved.recipe.args,
      ram: { file: ram, size: saved.ram.size },
      dimm: saved.dimm === undefined ? undefined : { file: dimm, size: saved.dimm.size },
      incoming: true
    })
    const uri = transport === "tcp" ? "tcp:127.0.0.1:0" : `unix:${fresh("file")}`
    const { capabilities } = saved.recipe
    const listening = yield* Sockets.listen(guest, uri, { channels, compression, capabilities })
    return { guest, ram, dimm, loaded: listening.loaded, to: addressOf(listening.uri) }
  })

const sendImage = (saved: Fixtures.Saved, to: SocketAddress, way: Way) =>
  Effect.gen(function* () {
    const migration = yield* Migration.Migration
    const source = yield* Image.open({ path: saved.path, offset: saved.recipe.offset })
    const { channels = 2, compression, send } = way
    return yield* migration.send({ source, to, channels, compression, ...send })
  })

/** All blocks of a guest, saved again by QEMU: what it has, whatever we think that it should have. */
const blocksOf = (guest: Guest.Guest) =>
  Effect.gen(function* () {
    const path = (yield* Fixtures.Fixtures).fresh("file")
    yield* guest.qmp.execute("migrate-set-parameters", { "multifd-compression": "none" })
    yield* Migrate.save(guest, { path })
    return contents(path)
  })

const contents = (path: string, offset?: number) => {
  const image = QemuImage.read(path, offset)
  return new Map(image.blocks.map((block) => [block.idstr, QemuImage.content(image, block)]))
}

/** What `Send.test.ts` has no cell for. */
const ways: Record<string, Way> = {
  "over 2 channels": {},
  "zlib over 8 channels": { channels: 8, compression: "zlib", send: { level: 0 } },
  "zstd over 8 channels": { channels: 8, compression: "zstd", send: { level: 3 } },
  "without a return path": { send: { returnPath: false } },
  "a q35": { recipe: { machine: "q35" } },
  "a machine of 8.0, whose sections are the marks": { recipe: { machine: "pc-i440fx-8.0" } },
  "a machine of 8.0, zero pages by the channels": {
    recipe: { machine: "pc-i440fx-8.0" },
    send: { zeroPageDetection: "multifd" }
  },
  "a machine of 8.0 without multifd": { channels: 0, recipe: { machine: "pc-i440fx-8.0" } },
  "a machine of 8.1": { recipe: { machine: "pc-i440fx-8.1" } },
  "a machine of 9.2": { recipe: { machine: "pc-i440fx-9.2" } },
  "a second DIMM": { recipe: { dimm: { pattern: "alternating", size: 8 * MIB }, channels: 2 } },
  "alternating pages without multifd": {
    channels: 0,
    recipe: { ram: { pattern: "alternating", size: 8 * MIB } }
  },
  "random RAM over 8 channels": { channels: 8, recipe: { ram: { pattern: "random", size: 8 * MIB } } },
  "all-zero RAM": { recipe: { ram: { pattern: "zero", size: 8 * MIB } } },
  "all-zero RAM, as it is": {
    recipe: { ram: { pattern: "zero", size: 8 * MIB } },
    send: { zeroPageDetection: "none" }
  },
  "an image at an offset that nothing aligns": { recipe: { offset: 12345, channels: 2 } },
  "at 64 MiB a second": { send: { maxBandwidth: 64 * MIB } }
}

describeQemu("an image that is sent to QEMU", () => {
  layer(Layer.mergeAll(Fixtures.layer, Migration.layer), { excludeTestServices: true })((it) => {
    for (const [name, way] of Object.entries(ways)) {
      it.effect(`${name}: is loaded, RAM equal to the last byte`, () =>
        Effect.gen(function* () {
          const saved = yield* (yield* Fixtures.Fixtures).saved(way.recipe ?? {})
          const { dimm, guest, loaded, ram, to } = yield* waitingGuest(saved, way)
          const summary = yield* sendImage(saved, to, way)
          assert.include(yield* loaded, { status: "completed", reason: "" })
          assert.include(yield* guest.qmp.execute("query-status"), { running: false, status: "prelaunch" })

          assert.strictEqual(Files.firstDifference(saved.ram.file, ram), undefined)
          if (saved.dimm !== undefined) assert.strictEqual(Files.firstDifference(saved.dimm.file, dimm), undefined)
          const expected = contents(saved.path, saved.recipe.offset)
          const found = yield* blocksOf(guest)
          for (const [idstr, content] of expected) assert.isTrue(content.equals(found.get(idstr)!), idstr)
          const total = [...expected.values()].reduce((sum, content) => sum + content.length, 0)
          assert.strictEqual(summary.bytesTotal, total)
          assert.strictEqual(summary.pages, total / 4096)
        })
      )
    }

    it.effect("by RAM blocks in files, with the machine of an image", () =>
      Effect.gen(function* () {
        const saved = yield* (yield* Fixtures.Fixtures).saved({})
        for (const zeroPageDetection of ["legacy", "multifd", "none"] as const) {
          const { loaded, ram, to } = yield* waitingGuest(saved, { channels: 3 })
          const migration = yield* Migration.Migration
          const image = yield* Image.open(saved.path)
          const main = yield* FilePages.make({ idstr: Guest.MAIN_BLOCK, path: saved.ram.file, access: "read" })
          const blocks = image.blocks.map((block) => (block.idstr === main.idstr ? main : block))
          const source = { blocks, machineState: image.machineState }
          const summary = yield* migration.send({ source, to, channels: 3, zeroPageDetection })
          assert.include(yield* loaded, { status: "completed" })
          assert.strictEqual(Files.firstDifference(saved.ram.file, ram), undefined)
          assert.strictEqual(summary.zeroPages === 0, zeroPageDetection === "none")
        }
      })
    )

    it.effect("with the addresses of its blocks, since it was saved with x-ignore-shared", () =>
      Effect.gen(function* () {
        const { fresh } = yield* Fixtures.Fixtures
        const [path, dump] = [fresh("file"), fresh("file")]
        const capabilities = ["x-ignore-shared"]
        const ram = { size: 16 * MIB }
        const source = yield* Guest.start({ ram })
        yield* Migrate.save(source, { path, capabilities })
        const guest = yield* Guest.start({ ram, incoming: true })
        const { loaded, uri } = yield* Sockets.listen(guest, "tcp:127.0.0.1:0", { channels: 2, capabilities })
        const image = yield* Image.open(path)
        yield* (yield* Migration.Migration).send({ source: image, to: addressOf(uri) })
        assert.include(yield* loaded, { status: "completed" })
        const { address: val, idstr, size } = Guest.FIRMWARE
        yield* guest.qmp.execute("pmemsave", { val, size, filename: dump })
        assert.isTrue(Fs.readFileSync(dump).equals(yield* image.readPages(idstr, 0, size)))
      })
    )

    it.effect("of a guest with a uuid, to one of the same: only with that uuid on the channels", () =>
      Effect.gen(function* () {
        const text = "00112233-4455-6677-8899-aabbccddeeff"
        const uuid = new Uint8Array(Buffer.from(text.replaceAll("-", ""), "hex"))
        const saved = yield* (yield* Fixtures.Fixtures).saved({ args: ["-uuid", text] })
        const { loaded, ram, to } = yield* waitingGuest(saved, {})
        yield* sendImage(saved, to, { send: { uuid } })
        assert.include(yield* loaded, { status: "completed" })
        assert.strictEqual(Files.firstDifference(saved.ram.file, ram), undefined)

        const validated = yield* (yield* Fixtures.Fixtures).saved({
          args: ["-uuid", text],
          capabilities: ["validate-uuid"]
        })
        const knowing = yield* waitingGuest(validated, {})
        yield* sendImage(validated, knowing.to, {})
        assert.include(yield* knowing.loaded, { status: "completed" }, "the image knows it")
      })
    )

    it.effect("of other RAM: the answer that it failed, in time", () =>
      Effect.gen(function* () {
        const saved = yield* (yield* Fixtures.Fixtures).saved({})
        for (const channels of [0, 2]) {
          const other = { ...saved, ram: { ...saved.ram, size: 32 * MIB } }
          const { loaded, to } = yield* waitingGuest(other, { channels })
          const error = yield* Effect.flip(sendImage(saved, to, { channels }))
          assert.strictEqual(error._tag, "PeerFailedError", error.message)
          assert.strictEqual((yield* loaded).status, "failed")
        }
      })
    )

    it.effect("of another machine type, which is found before it can be asked for an answer: the connection ends", () =>
      Effect.gen(function* () {
        const saved = yield* (yield* Fixtures.Fixtures).saved({})
        for (const channels of [0, 2]) {
          const other = { ...saved, recipe: { ...saved.recipe, machine: "q35" } }
          const { loaded, to } = yield* waitingGuest(other, { channels })
          const error = yield* Effect.flip(sendImage(saved, to, { channels }))
          assert.include(["ConnectionEndedError", "ConnectionLostError"], error._tag, error.message)
          assert.strictEqual((yield* loaded).status, "failed")
        }
      })
    )

    it.effect("to a guest that waits for more channels: PeerTimeoutError", () =>
      Effect.gen(function* () {
        const saved = yield* (yield* Fixtures.Fixtures).saved({})
        const { to } = yield* waitingGuest(saved, { channels: 4 })
        const limits = { idleTimeout: "1 second" } as const
        const error = yield* Effect.flip(sendImage(saved, to, { channels: 2, send: { limits } }))
        assert.strictEqual(error._tag, "PeerTimeoutError", error.message)
      })
    )

    it.effect("to a guest without multifd, compressed in another way, or of another uuid: a typed error", () =>
      Effect.gen(function* () {
        const saved = yield* (yield* Fixtures.Fixtures).saved({})
        const limits = { idleTimeout: "500 millis" } as const
        const cases: ReadonlyArray<readonly [Way, Way]> = [
          [{ channels: 0 }, { channels: 2 }],
          [
            { channels: 2, compression: "zstd" },
            { channels: 2, compression: "zlib" }
          ],
          [{ channels: 2 }, { channels: 2, send: { uuid: new Uint8Array(16).fill(1) } }]
        ]
        for (const [theirs, ours] of cases) {
          const { to } = yield* waitingGuest(saved, theirs)
          const error = yield* Effect.flip(sendImage(saved, to, { ...ours, send: { limits, ...ours.send } }))
          const tags = [
            "PeerFailedError",
            "ConnectError",
            "ConnectionLostError",
            "ConnectionEndedError",
            "PeerTimeoutError"
          ]
          assert.include(tags, error._tag, error.message)
        }
      })
    )

    it.effect("to a guest that is killed meanwhile: the connection is lost", () =>
      Effect.gen(function* () {
        const saved = yield* (yield* Fixtures.Fixtures).saved({})
        const { guest, to } = yield* waitingGuest(saved, {})
        const progress = yield* Progress.make
        const slow = sendImage(saved, to, { send: { maxBandwidth: 4 * MIB, progress } })
        const someIsSent = Stream.runHead(
          Stream.filter(progress.changes("5 millis"), ({ bytesTransferred }) => bytesTransferred > 0)
        )
        const kill = Effect.andThen(
          someIsSent,
          Effect.sync(() => process.kill(guest.pid, "SIGKILL"))
        )
        const [error] = yield* Effect.all([Effect.flip(slow), kill], { concurrency: 2 })
        assert.include(["ConnectionLostError", "ConnectionEndedError"], error._tag, error.message)
      })
    )

    it.effect("to an address where nobody listens: ConnectError", () =>
      Effect.gen(function* () {
        const { fresh, saved } = yield* Fixtures.Fixtures
        const to = addressOf(`unix:${fresh("file")}`)
        const error = yield* Effect.flip(sendImage(yield* saved({}), to, {}))
        assert.strictEqual(error._tag, "ConnectError")
      })
    )
  })

  itSpace("a guest that was saved while it ran goes on in its destination, and no page is torn", function* (space) {
    const [ram, path, boot] = [space.ram("ram"), space.file("image"), space.file("boot")]
    const [end, size] = [8 * MIB, 16 * MIB]
    Workload.writeDisk(boot, end)
    Workload.writeMemory(ram, size, end)
    yield* Effect.scoped(
      Effect.gen(function* () {
        const guest = yield* Guest.start({ ram: { file: ram, size }, boot })
        yield* Workload.reach(ram, 2)
        yield* Migrate.save(guest, { path, channels: 2, passes: 3 })
      })
    )
    const revived = space.ram("revived")
    const guest = yield* Guest.start({ ram: { file: revived, size }, boot, incoming: true })
    const { loaded, uri } = yield* Sockets.listen(guest, "tcp:127.0.0.1:0", { channels: 2 })
    const migration = yield* Migration.Migration
    yield* migration.send({ source: yield* Image.open(path), to: addressOf(uri), channels: 2 })
    assert.include(yield* loaded, { status: "completed" })
    yield* Workload.reach(revived, Workload.round(ram) + 2)
    assert.include(yield* guest.qmp.execute("query-status"), { running: true })
    yield* guest.qmp.execute("stop")
    assert.doesNotThrow(() => Workload.position(revived, end))
  })
})
