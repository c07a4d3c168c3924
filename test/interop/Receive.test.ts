import { assert, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Fs from "node:fs"
import * as Path from "node:path"
import * as Image from "../../src/image/Image.ts"
import * as Migration from "../../src/migration/Migration.ts"
import * as Files from "../support/qemu/files.ts"
import * as Fixtures from "../support/qemu/fixtures.ts"
import * as Grid from "../support/qemu/grid.ts"
import * as Guest from "../support/qemu/guest.ts"
import * as Library from "../support/qemu/library.ts"
import type * as Migrate from "../support/qemu/migrate.ts"
import * as Qemu from "../support/qemu/qemu.ts"
import * as QemuImage from "../support/qemu/qemuImage.ts"
import * as Sockets from "../support/qemu/sockets.ts"
import { describeQemu, describeQemus } from "../support/qemu/suite.ts"
import * as Tls from "../support/qemu/tls.ts"

const MIB = 1024 * 1024
const PAGES_IN_PACKET = 128
const UUID = "00112233-4455-6677-8899-aabbccddeeff"

/** What a guest that never ran is in after it was loaded. */
const NEVER_RAN = "prelaunch"

/** How one guest is sent. */
interface Way extends Pick<Grid.Cell, "transport" | "channels" | "compression" | "zeroPages"> {
  /** Our credentials. Default: none. */
  readonly tls?: Grid.Cell["tls"] | undefined
  /** QEMU's. */
  readonly credentials?: ReadonlyArray<string> | undefined
}

const usual: Way = { transport: "tcp", channels: 2, compression: "none", zeroPages: "multifd" }

/** How we receive, where it is not as usual. */
type Ours = Parameters<typeof Library.receive>[2]

/** Has a guest like the one that was saved send itself to us, into a new image. */
const receiveLike = Effect.fnUntraced(function* (
  original: Fixtures.Saved,
  way: Way,
  theirs: Partial<Sockets.Options> = {},
  ours: Ours = {}
) {
  const { fresh } = yield* Fixtures.Fixtures
  const { channels, compression, credentials = [], tls = "none", transport, zeroPages } = way
  const path = fresh("ram")
  const at = transport === "tcp" ? "tcp:127.0.0.1:0" : `unix:${fresh("file")}`
  const options = { channels, compression, tls: yield* Tls.server[tls], ...ours }
  const { received, uri } = yield* Library.receive(at, path, options)
  const { args = [], machine, qemu } = original.recipe
  const more = { args: [...args, ...credentials], ram: original.ram, dimm: original.dimm }
  const guest = yield* Guest.start({ qemu, machine, ...more })
  const send = Sockets.send(guest, uri, { channels, compression, zeroPages, ...theirs })
  return { path, send, received }
})

/** Receives an image that has to be complete. */
const receiveCompletely = (...args: Parameters<typeof receiveLike>) =>
  Effect.gen(function* () {
    const { path, received, send } = yield* receiveLike(...args)
    const [sent, summary] = yield* Effect.all([send, received], { concurrency: 2 })
    return { path, sent, summary }
  }).pipe(Effect.scoped)

/** Fails unless an image holds what QEMU itself saved of the same guest. */
const assertSame = (original: Fixtures.Saved, path: string, { zeroPages }: Way): void => {
  const [ours, theirs] = [QemuImage.read(path), QemuImage.read(original.path, original.recipe.offset)]
  const contents = QemuImage.contents(ours)
  for (const [idstr, content] of QemuImage.contents(theirs)) assert.isTrue(content.equals(contents.get(idstr)!), idstr)
  for (const block of theirs.blocks) {
    const pages = zeroPages === "none" ? block.usedLength / 4096 : QemuImage.pagesPresent(theirs, block)
    assert.strictEqual(QemuImage.pagesPresent(ours, QemuImage.block(ours, block.idstr)), pages, block.idstr)
  }
}

/** Fails unless a guest like the one that was saved loads the image. */
const assertLoads = (original: Fixtures.Saved, path: string, capabilities: ReadonlyArray<string> = []) =>
  Effect.gen(function* () {
    const { dimm, guest, loaded, ram } = yield* Fixtures.loadLike(original, { path, channels: 2, capabilities })
    assert.include(loaded, { status: "completed", reason: "" })
    assert.strictEqual(Files.firstDifference(original.ram.file, ram), undefined)
    if (original.dimm !== undefined) assert.strictEqual(Files.firstDifference(original.dimm.file, dimm), undefined)
    assert.strictEqual(yield* Guest.runState(guest), NEVER_RAN)
  }).pipe(Effect.scoped)

/** Up to 7.2, multifd sends some of the pages twice with which a packet ends and the next one begins, and counts them once. */
const assertCounted = (ours: Migration.Summary, theirs: NonNullable<Migrate.Info["ram"]>, qemu: Qemu.Qemu): void => {
  const mostTwice = Qemu.isAtLeast(9, 0, qemu) ? 0 : Math.ceil(theirs.normal / PAGES_IN_PACKET)
  assert.isAtLeast(ours.normalPages, theirs.normal)
  assert.isAtMost(ours.normalPages, theirs.normal + mostTwice)
  assert.strictEqual(ours.zeroPages, theirs.duplicate)
}

const VIRTIO_MEM = [
  ["-m", "16M,slots=2,maxmem=512M"],
  ["-object", "memory-backend-ram,id=vm0,size=128M"],
  ["-device", "pcie-root-port,id=rp", "-device", "virtio-mem-pci,id=v0,memdev=vm0,requested-size=16M,bus=rp"]
].flat()

/** Machines whose streams differ, and how they are sent. */
const machines: Record<string, readonly [Fixtures.Recipe, (Partial<Way> & { readonly theirs?: Sockets.Options })?]> = {
  "a q35": [{ machine: "q35" }],
  "a machine of 8.0, whose sections are the marks": [{ machine: "pc-i440fx-8.0" }, { zeroPages: "legacy" }],
  "a machine of 8.0, zero pages by the channels": [{ machine: "pc-i440fx-8.0" }, { channels: 8 }],
  "a machine of 8.0 without multifd": [{ machine: "pc-i440fx-8.0" }, { channels: 0 }],
  "a machine of 8.2": [{ machine: "pc-i440fx-8.2" }, { zeroPages: "legacy" }],
  "a machine of 9.2": [{ machine: "pc-i440fx-9.2" }],
  "a second DIMM": [{ dimm: { pattern: "alternating", size: 16 * MIB }, channels: 2 }, { channels: 3 }],
  "all-zero RAM": [{ ram: { pattern: "zero", size: 16 * MIB } }],
  "random RAM over 8 channels": [{ ram: { pattern: "random", size: 16 * MIB } }, { channels: 8 }],
  "a return path": [{}, { theirs: { capabilities: ["return-path"] } }],
  "a return path without multifd": [{}, { channels: 0, theirs: { capabilities: ["return-path"] } }],
  "a return path and an answer to the switch": [{}, { theirs: { capabilities: ["return-path", "switchover-ack"] } }],
  "the same without multifd": [{}, { channels: 0, theirs: { capabilities: ["return-path", "switchover-ack"] } }],
  "devices that are set up early": [{ machine: "q35", args: VIRTIO_MEM }],
  "a uuid in its configuration": [
    { args: ["-uuid", UUID], capabilities: ["validate-uuid"] },
    { theirs: { capabilities: ["validate-uuid"] } }
  ],
  "no SWITCHOVER_START": [{ args: ["-global", "migration.send-switchover-start=off"] }]
}

/** What QEMU writes into files as well, but no second reader of ours understands. */
const streams: Record<string, Fixtures.Recipe> = {
  "no section footers": { args: ["-global", "migration.send-section-footer=off"] },
  "no configuration": { args: ["-global", "migration.send-configuration=off"], machine: "pc,suppress-vmdesc=on" },
  "no description": { machine: "pc,suppress-vmdesc=on" }
}

describeQemus("a guest that QEMU sends to us", Grid.versions, (qemu) => {
  layer(Layer.mergeAll(Fixtures.layerOf(qemu), Migration.layer), { excludeTestServices: true })((it) => {
    for (const cell of Grid.from(qemu)) {
      it.effect(`${Grid.nameOf(cell)}: every page, and QEMU loads the image`, () =>
        Effect.gen(function* () {
          const recipe = { ram: { pattern: "mixed", size: 16 * MIB }, machine: Grid.machineOf(cell) } as const
          const original = yield* (yield* Fixtures.Fixtures).saved(recipe)
          const way = { ...cell, credentials: Grid.credentials(cell, "client") }
          const { path, sent, summary } = yield* receiveCompletely(original, way, Grid.settings(cell, "client"))
          assertSame(original, path, cell)
          yield* assertLoads(original, path)
          assert.deepStrictEqual((yield* Image.open(path)).findings, [])
          assert.notMatch(Fs.readdirSync(Path.dirname(path)).join(), /\.part/)
          assert.strictEqual(summary.bytesTotal, sent.ram!.total)
          assertCounted(summary, sent.ram!, qemu)
          Fs.rmSync(path)
        })
      )
    }
  })
})

describeQemu("a guest that QEMU sends to us, in less usual ways", () => {
  layer(Layer.mergeAll(Fixtures.layer, Migration.layer), { excludeTestServices: true })((it) => {
    for (const [name, recipe] of Object.entries(streams)) {
      it.effect(`${name}: QEMU loads the image`, () =>
        Effect.gen(function* () {
          const original = yield* (yield* Fixtures.Fixtures).saved(recipe)
          const { path } = yield* receiveCompletely(original, usual)
          yield* assertLoads(original, path)
        })
      )
    }

    for (const [name, [recipe, { theirs = {}, ...way } = {}]] of Object.entries(machines)) {
      it.effect(`${name}: every page, and QEMU loads the image`, () =>
        Effect.gen(function* () {
          const original = yield* (yield* Fixtures.Fixtures).saved(recipe)
          const { path } = yield* receiveCompletely(original, { ...usual, ...way }, theirs)
          assertSame(original, path, { ...usual, ...way })
          yield* assertLoads(original, path, recipe.capabilities)
          const { findings } = yield* Effect.scoped(Image.inspect(path))
          const expected = yield* Effect.scoped(Image.inspect(original.path))
          assert.deepStrictEqual(findings, expected.findings)
        })
      )
    }
  })
})
