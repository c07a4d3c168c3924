/**
 * The packed package, as npm installs it, on the versions of Node that it is for, and on older ones.
 */
import { afterAll, assert, beforeAll, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as ChildProcess from "node:child_process"
import * as Fs from "node:fs"
import * as Temporary from "../support/project/temporary.ts"
import * as SocketAddress from "../../src/io/sockets/SocketAddress.ts"
import * as QmpClient from "../../src/qemu/QmpClient.ts"
import * as QmpCommands from "../../src/qemu/QmpCommands.ts"
import { itSpace } from "../support/qemu/it.ts"
import * as Machine from "../support/qemu/machine.ts"
import * as Nodes from "../support/qemu/nodes.ts"
import * as Qemu from "../support/qemu/qemu.ts"
import { describeWhere } from "../support/qemu/suite.ts"
import * as Workload from "../support/qemu/workload.ts"

/** Old ones refuse the work, the others do it. */
const versions = [
  { version: "18", isOld: true },
  { version: "20", isOld: true },
  { version: "22.19", isOld: false },
  { version: "24", isOld: false },
  { version: "26", isOld: false }
] as const

let folder = ""
let command = ""

beforeAll(async () => {
  folder = await Temporary.make()
  if (versions.some(({ version }) => Nodes.ofVersion(version) !== undefined)) command = await Nodes.install(folder)
}, 180_000)
afterAll(() => Temporary.remove(folder))

interface Ran {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

/** Runs the installed command; every word on stderr counts, Node's own warnings included. */
const runOn = (node: Nodes.Node, ...args: ReadonlyArray<string>): Effect.Effect<Ran> =>
  Effect.callback<Ran>((resume) => {
    const env = { ...process.env, NODE_OPTIONS: "", NODE_NO_WARNINGS: "" }
    const child = ChildProcess.execFile(node.binary, [command, ...args], { env }, (_error, stdout, stderr) =>
      resume(Effect.succeed({ code: child.exitCode, stdout, stderr }))
    )
    return Effect.sync(() => void child.kill())
  })

const done = { code: 0, stdout: "", stderr: "" }

/** A monitor serves one client at a time, and the command is one. */
const statusOf = (socket: string) =>
  Effect.scoped(Effect.flatMap(QmpClient.make({ address: SocketAddress.unix(socket) }), QmpCommands.queryStatus))

const refuses = (node: Nodes.Node): void =>
  void it.live("is refused, in one line, before anything else is looked at", () =>
    Effect.gen(function* () {
      for (const args of [[], ["--version"], ["capture", "--qmp", "/nothing", "vm.img"]]) {
        const ran = yield* runOn(node, ...args)
        assert.include(ran, { code: 2, stdout: "" })
        const [line, ...others] = ran.stderr.split("\n")
        assert.strictEqual(
          line,
          `multifd: cannot run on Node ${node.version} (${node.binary}); install Node 22.19 or newer`
        )
        assert.deepStrictEqual(others, [""])
      }
    })
  )

const works = (node: Nodes.Node): void => {
  itSpace("save, info, verify, restore", function* (space) {
    const ram = Buffer.alloc(300 * 4096, "memory of a machine").fill(0, 100 * 4096, 200 * 4096)
    Fs.writeFileSync(space.file("ram"), ram)
    const image = space.file("vm.img")
    assert.deepStrictEqual(yield* runOn(node, "save", "--block", `pc.ram=${space.file("ram")}`, image), done)
    const info = yield* runOn(node, "info", image, "--json")
    assert.include(info, { code: 0, stderr: "" })
    assert.strictEqual(JSON.parse(info.stdout).blocks[0].pagesPresent, 200)
    const verified = yield* runOn(node, "verify", image)
    assert.include(verified, { code: 0, stderr: "" })
    assert.match(verified.stdout, /: OK: every page matches its checksum/)
    assert.deepStrictEqual(yield* runOn(node, "restore", image, "--block", `pc.ram=${space.file("new")}`), done)
    assert.isTrue(Fs.readFileSync(space.file("new")).equals(ram))
  })

  describeWhere(
    "with a real QEMU",
    { isThere: Qemu.installed !== undefined, isRequired: Qemu.isRequired, missing: Qemu.missing },
    () => {
      itSpace("capture a running guest, and resume it elsewhere", function* (space) {
        const image = space.file("vm.img")
        const vm = yield* Machine.launch(space)
        yield* Workload.reach(vm.ram, 2)
        const args = ["--compression", "zstd"]
        assert.deepStrictEqual(yield* runOn(node, "capture", "--qmp", vm.socket, image, ...args), done)
        yield* Machine.goesOn(vm)
        const memory = yield* Machine.memoryOf(space, image)

        const fresh = yield* Machine.launch(space, { name: "fresh", incoming: true })
        assert.deepStrictEqual(yield* runOn(node, "resume", "--qmp", fresh.socket, image, ...args), done)
        assert.strictEqual((yield* statusOf(fresh.socket)).status, "running")
        yield* Workload.reach(fresh.ram, Workload.round(memory) + 1)
      })
    }
  )
}

for (const { isOld, version } of versions) {
  const node = Nodes.ofVersion(version)
  const isRequired = Nodes.isRequired && Nodes.requiredVersions.includes(version)
  const missing = `needs Node ${version}: name its binary in NODES, as .ci/run does`
  describeWhere(`the installed package on Node ${version}`, { isThere: node !== undefined, isRequired, missing }, () =>
    (isOld ? refuses : works)(node!)
  )
}
