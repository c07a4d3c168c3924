/**
 * The programs in `examples/` do what they say, with the package as its users get it.
 */
import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fs from "node:fs/promises"
import * as Path from "node:path"
import * as Collector from "../support/project/collector.ts"
import * as Consumer from "../support/project/consumer.ts"
import * as Guests from "../support/qemu/guests.ts"
import * as Migrate from "../support/qemu/migrate.ts"
import * as Qemu from "../support/qemu/qemu.ts"
import { describeQemus } from "../support/qemu/suite.ts"
import * as Workspace from "../support/qemu/workspace.ts"
import { root, run } from "../support/project/run.ts"
import * as Temporary from "../support/project/temporary.ts"

/** What each program prints when all is well. */
const expected: Readonly<Record<string, RegExp>> = {
  "backups.ts": /night 3: 8 pages are new, 2040 are known\n1 snapshot removed, 2 kept\n[^]*byte for byte/,
  "demo.ts": /every byte is the same[^]*QEMU/,
  "device-sections.ts": /cpu 0, version 1: \{"pc":65520,"sp":32768\}/,
  "fault-injection.ts": /[1-9]\d* backups failed, none did harm/,
  "live-save.ts": /the snapshot is of tick [1-9]\d*, to the last page\nthe machine kept running/,
  "network-faults.ts": /36 moves in \d+ virtual minutes: [1-9]\d* failed, none did harm/,
  "opentelemetry.ts": /^saved 4096 pages; /,
  "read-pages.ts": /page 1280 begins with hello from the guest/,
  "send-receive.ts": /every byte is the same/,
  "v86.ts": /saved 4096 pages, [^]*has continued to/,
  "wasm-memory.ts": /continues: 1000, 1001/
}

/** What those that take an image print of a machine with a disk, in the order in which it has them, and blocks without pages. */
const ofImage: Readonly<Record<string, RegExp>> = {
  "device-sections.ts":
    /^machine type pc-[^]*\ntimer 0, version 2: 24 bytes\n[^]*\nglobalstate 0, version 1: \d+ bytes\n/,
  "read-pages.ts": /^pc\.ram: page \d+ begins with [^]*: all zeros\n/,
  "send-receive.ts": /^sent [1-9]\d* pages [^]*every byte is the same/
}

/** The image that a QEMU makes of a guest that was in its firmware for a moment, looking for something to boot. */
const saveGuest = Effect.fnUntraced(function* (qemu: Qemu.Qemu, name: Guests.Name, path: string) {
  const space = yield* Workspace.make
  const boot = space.file("disk")
  yield* Effect.promise(() => Fs.writeFile(boot, Buffer.alloc(2 ** 20)))
  const { guest } = yield* Guests.start(space, name, { qemu, boot })
  yield* Effect.sleep("500 millis")
  yield* Migrate.save(guest, { path, channels: 2 })
}, Effect.scoped)

describe("examples", { timeout: 120_000 }, () => {
  let temporary = ""
  let consumer: Consumer.Consumer
  /** For the temporary files of the examples: nobody else puts any there. */
  let scratch = ""

  beforeAll(async () => {
    temporary = await Temporary.make()
    consumer = await Consumer.make(temporary)
    scratch = Path.join(temporary, "scratch")
    await Fs.mkdir(scratch)
    await Fs.cp(Path.join(root, "examples"), Path.join(consumer.folder, "examples"), { recursive: true })
  }, 120_000)
  afterAll(() => Temporary.remove(temporary))

  it("all of them are run here", async () => {
    const files = await Fs.readdir(Path.join(root, "examples"))
    assert.deepStrictEqual(files.filter((name) => name.endsWith(".ts")).toSorted(), Object.keys(expected))
  })

  for (const [name, output] of Object.entries(expected)) {
    it(`${name} prints its result, and leaves no file`, async () => {
      const program = [process.execPath, Path.join("examples", name)]
      assert.match(await run(consumer.folder, "env", `TMPDIR=${scratch}`, ...program), output)
      assert.deepStrictEqual(await Fs.readdir(scratch), [])
    })
  }

  it("opentelemetry.ts: a collector gets the spans and metrics of a save", async () => {
    const collector = await Collector.start()
    const program = ["env", `TMPDIR=${scratch}`, process.execPath, "examples/opentelemetry.ts", collector.url]
    const [command = "", ...args] = program
    const received = await run(consumer.folder, command, ...args).finally(collector.stop)
    assert.include(received, collector.url)
    assert.includeMembers([...collector.spans], ["backup", "Image.save", "Migration.save", "Pipeline.run"])
    assert.includeMembers([...collector.metrics], ["multifd_migrations_total", "multifd_ram_normal_pages_total"])
  })

  it("v86.ts: the image that it leaves is one", async () => {
    const path = Path.join(temporary, "v86.img")
    await run(consumer.folder, process.execPath, "examples/v86.ts", path)
    const multifd = Path.join(consumer.installed, "dist/bin.js")
    assert.match(
      await run(consumer.folder, process.execPath, multifd, "verify", path),
      /: OK: every page matches its checksum/
    )
  })

  describeQemus("examples", ["10.0", "11.1"], (qemu) => {
    // The one on the PATH is that of the demo.ts above.
    it.skipIf(qemu === Qemu.installed)("demo.ts moves a guest of another QEMU", async () => {
      const bin = Path.join(temporary, `bin-${Qemu.versionOf(qemu)}`)
      await Fs.mkdir(bin)
      await Fs.writeFile(Path.join(bin, "qemu-system-x86_64"), `#!/bin/sh\nexec ${qemu.binary} "$@"\n`, { mode: 0o755 })
      const path = `PATH=${bin}:${process.env["PATH"]}`
      const output = await run(consumer.folder, "env", path, `TMPDIR=${scratch}`, process.execPath, "examples/demo.ts")
      assert.match(output, new RegExp(`QEMU +found ${Qemu.versionOf(qemu)}[^]*it runs on`))
    })

    for (const name of ["pc", "q35"] as const) {
      it(`read an image of ${name}`, async () => {
        const path = Path.join(temporary, `${name}-${Qemu.versionOf(qemu)}.img`)
        await Effect.runPromise(saveGuest(qemu, name, path))
        for (const [example, output] of Object.entries(ofImage)) {
          const program = [process.execPath, Path.join("examples", example), path]
          assert.match(await run(consumer.folder, "env", `TMPDIR=${scratch}`, ...program), output)
        }
        const python = ["python3", Path.join(root, "examples/read_image.py"), path]
        assert.match(await run(consumer.folder, "env", ...python), /^pc\.ram \d+ 4096 \d+ 1048576$/m)
        assert.deepStrictEqual(await Fs.readdir(scratch), [])
      })
    }
  })
})
