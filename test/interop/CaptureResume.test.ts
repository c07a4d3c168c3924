/**
 * The guests that people run, captured from every QEMU and resumed in one of the same version.
 */
import { assert, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fs from "node:fs"
import * as SocketAddress from "../../src/io/sockets/SocketAddress.ts"
import * as Image from "../../src/image/Image.ts"
import * as Migration from "../../src/migration/Migration.ts"
import * as Capture from "../../src/qemu/Capture.ts"
import * as QmpClient from "../../src/qemu/QmpClient.ts"
import * as QmpCommands from "../../src/qemu/QmpCommands.ts"
import * as Resume from "../../src/qemu/Resume.ts"
import * as Files from "../support/qemu/files.ts"
import * as Guest from "../support/qemu/guest.ts"
import * as Guests from "../support/qemu/guests.ts"
import * as Library from "../support/qemu/library.ts"
import * as Machine from "../support/qemu/machine.ts"
import { pairwise, product } from "../support/qemu/pairwise.ts"
import * as Pattern from "../support/qemu/pattern.ts"
import * as Qemu from "../support/qemu/qemu.ts"
import { describeQemus } from "../support/qemu/suite.ts"
import * as Workload from "../support/qemu/workload.ts"
import * as Workspace from "../support/qemu/workspace.ts"

type Cell = {
  readonly qemu: string
  readonly guest: Guests.Name
  /** `idle`: it never ran, and does not run afterwards. */
  readonly mode: "idle" | "stopped" | "live"
  readonly channels: number
  readonly compression: "none" | "zlib" | "zstd"
}

const versions = ["5.2", "7.2", "10.0", "11.1"]

const isPossible = ({ channels, compression, guest, mode, qemu }: Cell): boolean =>
  (mode === "idle" || Guests.kinds[guest].boots) &&
  (channels > 0 || compression === "none") &&
  (compression !== "zstd" || qemu !== "5.2")

const all = product<Cell>({
  qemu: versions,
  guest: Guests.names,
  mode: ["idle", "stopped", "live"],
  channels: [0, 2, 8],
  compression: ["none", "zlib", "zstd"]
}).filter(isPossible)

const cells = process.env["GRID"] === "all" ? all : pairwise(all)

const nameOf = ({ channels, compression, guest, mode }: Cell): string =>
  [guest, mode, channels === 0 ? "no multifd" : `${channels} channels`, compression].join(", ")

const runState = (qmp: QmpClient.Client) => Effect.map(QmpCommands.queryStatus(qmp), ({ status }) => status)

const settings = (qmp: QmpClient.Client) =>
  Effect.all([QmpCommands.queryMigrateCapabilities(qmp), QmpCommands.queryMigrateParameters(qmp)])

/** A guest that was never run, with memory that is full of something. */
const idle = Effect.fnUntraced(function* (
  space: Workspace.Workspace,
  options: Guests.Options & { readonly as: Guests.Name }
) {
  const started = yield* Guests.start(space, options.as, options)
  const qmp = yield* QmpClient.make({ address: SocketAddress.unix(started.socket) })
  return { ...started, qmp }
})

/** Up to 7.2, a QEMU whose guest does not run forgets why when a migration is called off: it says that one has stopped it. */
const stateAfter = (before: string, { qemu }: Cell): string =>
  before !== "running" && (qemu === "5.2" || qemu === "7.2") ? "postmigrate" : before

const captured = Effect.fnUntraced(function* (vm: Machine.Machine, target: string, cell: Cell) {
  const { channels, compression, mode } = cell
  const [state, before] = [yield* runState(vm.qmp), yield* settings(vm.qmp)]
  yield* Capture.run({ qmp: vm.qmp, target, live: mode === "live", channels, compression })
  assert.deepStrictEqual(yield* settings(vm.qmp), before)
  assert.strictEqual(yield* runState(vm.qmp), stateAfter(state, cell))
  const image = yield* Image.open(target)
  assert.deepStrictEqual(image.findings, [])
  return image
})

const idleGuest = Effect.fnUntraced(function* (space: Workspace.Workspace, qemu: Qemu.Qemu, cell: Cell) {
  const { channels, compression, guest: as } = cell
  const [content, image, copy] = [space.ram("content"), space.file("image"), space.ram("copy")]
  Pattern.writeFile(content, "mixed", Machine.SIZE)
  const vm = yield* idle(space, { as, qemu, label: "vm", size: Machine.SIZE })
  Files.patch(vm.ram, [{ position: 0, bytes: Fs.readFileSync(content) }])
  const opened = yield* captured(vm, image, cell)
  Fs.writeFileSync(copy, Buffer.alloc(Machine.SIZE, 0xa5))
  yield* Library.restore(image, [{ idstr: Guest.MAIN_BLOCK, path: copy, size: Machine.SIZE }])
  assert.strictEqual(Files.firstDifference(content, copy), undefined)

  const fresh = yield* idle(space, { as, qemu, label: "fresh", size: Machine.SIZE, incoming: true })
  yield* Resume.run({ qmp: fresh.qmp, source: opened, channels, compression, paused: true })
  assert.strictEqual(Files.firstDifference(content, fresh.ram), undefined)
})

const runningGuest = Effect.fnUntraced(function* (space: Workspace.Workspace, qemu: Qemu.Qemu, cell: Cell) {
  const { channels, compression, guest: as } = cell
  const vm = yield* Machine.running(space, { qemu, as })
  const image = yield* captured(vm, space.file("image"), cell)
  yield* Machine.goesOn(vm)
  const memory = yield* Machine.memoryOf(space, space.file("image"))

  const fresh = yield* Machine.start(space, { qemu, as, name: "fresh", incoming: true })
  const resumed = yield* Resume.run({ qmp: fresh.qmp, source: image, channels, compression })
  assert.strictEqual(resumed.runState, "running")
  yield* Workload.reach(fresh.ram, Workload.round(memory) + 1)
  yield* QmpCommands.stop(fresh.qmp)
  assert.doesNotThrow(() => Workload.position(fresh.ram, Machine.END))
})

describeQemus("a guest that people run: captured, left as it was, and resumed", versions, (qemu) => {
  for (const cell of cells.filter((cell) => cell.qemu === Qemu.versionOf(qemu))) {
    const missing = Guests.missing(cell.guest)
    it.live.skipIf(missing !== undefined)(`${nameOf(cell)}${missing === undefined ? "" : ` (${missing})`}`, () =>
      Effect.gen(function* () {
        const space = yield* Workspace.make
        yield* (cell.mode === "idle" ? idleGuest : runningGuest)(space, qemu, cell)
      }).pipe(Effect.provide(Migration.layer))
    )
  }
})
