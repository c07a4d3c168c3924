import { assert, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fs from "node:fs"
import { itSpace } from "../support/qemu/it.ts"
import * as Files from "../support/qemu/files.ts"
import * as Guest from "../support/qemu/guest.ts"
import * as Migrate from "../support/qemu/migrate.ts"
import * as Pattern from "../support/qemu/pattern.ts"
import * as QemuImage from "../support/qemu/qemuImage.ts"
import * as Sockets from "../support/qemu/sockets.ts"
import { describeQemu } from "../support/qemu/suite.ts"
import * as Workload from "../support/qemu/workload.ts"
import * as Workspace from "../support/qemu/workspace.ts"

const MIB = 1024 * 1024

describeQemu("the harness itself", () => {
  for (const channels of [0, 2]) {
    itSpace(`QEMU loads what QEMU saved, ${channels} channels`, function* (space) {
      const [source, target] = [space.ram("source"), space.ram("target")]
      const size = 16 * MIB
      Pattern.writeFile(source, "mixed", size)
      const from = yield* Guest.start({ ram: { file: source, size } })
      yield* Migrate.save(from, { path: space.file("image"), channels })

      const to = yield* Guest.start({ ram: { file: target, size }, incoming: true })
      const loaded = yield* Migrate.load(to, { path: space.file("image"), channels })
      assert.strictEqual(loaded.status, "completed")
      assert.strictEqual(Files.firstDifference(source, target), undefined)
    })
  }

  for (const options of [{}, { channels: 2, compression: "zstd", zeroPages: "legacy" }] as const) {
    itSpace(`QEMU sends to QEMU over a socket: ${JSON.stringify(options)}`, function* (space) {
      const [source, target, size] = [space.ram("source"), space.ram("target"), 16 * MIB]
      Pattern.writeFile(source, "mixed", size)
      const to = yield* Guest.start({ ram: { file: target, size }, incoming: true })
      const { loaded, uri } = yield* Sockets.listen(to, "tcp:127.0.0.1:0", options)
      assert.match(uri, /^tcp:127\.0\.0\.1:[1-9]/)

      const from = yield* Guest.start({ ram: { file: source, size } })
      yield* Sockets.send(from, uri, options)
      assert.include(yield* loaded, { status: "completed", reason: "" })
      assert.strictEqual(Files.firstDifference(source, target), undefined)
    })
  }

  itSpace("reads a real image independently of the library", function* (space) {
    const [ram, size, path] = [space.ram("ram"), 16 * MIB, space.file("image")]
    Pattern.writeFile(ram, "alternating", size)
    const guest = yield* Guest.start({ ram: { file: ram, size } })
    yield* Migrate.save(guest, { path, offset: 12345 })

    const image = QemuImage.read(path, 12345)
    const main = QemuImage.block(image, Guest.MAIN_BLOCK)
    assert.strictEqual(QemuImage.pagesPresent(image, main), size / 4096 / 2)
    assert.isTrue(QemuImage.content(image, main).equals(Fs.readFileSync(ram)))
    assert.match(image.machine, /^pc-i440fx-/)
  })

  itSpace("says that QEMU refused an image, and why", function* (space) {
    const [ram, size, path] = [space.ram("ram"), 16 * MIB, space.file("image")]
    const from = yield* Guest.start({ ram: { file: ram, size } })
    yield* Migrate.save(from, { path })
    const { headerAt } = QemuImage.block(QemuImage.read(path), Guest.MAIN_BLOCK)
    Files.patch(path, [{ position: headerAt, bytes: Buffer.from("00000002", "hex") }])

    const to = yield* Guest.start({ ram: { file: space.ram("target"), size }, incoming: true })
    const loaded = yield* Migrate.load(to, { path })
    assert.strictEqual(loaded.status, "failed")
    assert.match(loaded.reason, /version not supported/)
  })

  itSpace("catches a running guest at one moment", function* (space) {
    const [ram, size, path, end] = [space.ram("ram"), 16 * MIB, space.file("image"), 8 * MIB]
    Workload.writeDisk(space.file("boot"), end)
    Workload.writeMemory(ram, size, end)
    const guest = yield* Guest.start({ ram: { file: ram, size }, boot: space.file("boot") })
    yield* Workload.reach(ram, 2)
    const info = yield* Migrate.save(guest, { path, passes: 3 })

    assert.isAtLeast(info.ram!["dirty-sync-count"], 3)
    const image = QemuImage.read(path)
    assert.isTrue(QemuImage.content(image, QemuImage.block(image, Guest.MAIN_BLOCK)).equals(Fs.readFileSync(ram)))
    assert.doesNotThrow(() => Workload.position(ram, end))
    Files.patch(ram, [{ position: end - 2 * 4096, bytes: Buffer.from("torn") }])
    assert.throws(() => Workload.position(ram, end), /torn/)
  })

  it.live("tells where two files differ, and that they do not", () =>
    Effect.map(Workspace.make, (space) => {
      const [a, b, size] = [space.ram("a"), space.ram("b"), 3 * MIB]
      Pattern.writeFile(a, "mixed", size)
      Fs.copyFileSync(a, b)
      assert.strictEqual(Files.firstDifference(a, b), undefined)
      Files.patch(b, [{ position: size - 5, bytes: Buffer.from([1 + Files.read(a, size - 5, 1)[0]!]) }])
      assert.strictEqual(Files.firstDifference(a, b), size - 5)
      Fs.truncateSync(b, size - 7)
      assert.strictEqual(Files.firstDifference(a, b), size - 7)
    })
  )

  it.live("leaves no process and no file behind", () =>
    Effect.gen(function* () {
      const left = yield* Effect.scoped(
        Effect.gen(function* () {
          const space = yield* Workspace.make
          const { pid } = yield* Guest.start({ ram: { file: space.ram("ram"), size: 16 * MIB } })
          return { pid, paths: [space.file(""), space.ram("")] }
        })
      )
      assert.throws(() => process.kill(left.pid, 0))
      assert.deepStrictEqual(left.paths.filter(Fs.existsSync), [])
    })
  )
})
