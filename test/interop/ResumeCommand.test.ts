import { assert, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as ChildProcess from "node:child_process"
import * as Fs from "node:fs"
import * as Path from "node:path"
import { itSpace } from "../support/qemu/it.ts"
import * as Cli from "../support/qemu/cli.ts"
import * as Guest from "../support/qemu/guest.ts"
import * as Qemu from "../support/qemu/qemu.ts"
import { describeQemu, describeQemus } from "../support/qemu/suite.ts"
import type * as Workspace from "../support/qemu/workspace.ts"

const MIB = 1024 * 1024
const UUID = "6a1e0f3c-2f6c-4c55-9b53-0d7a3c1f8e21"
const OTHER = "11111111-2f6c-4c55-9b53-0d7a3c1f8e21"
const identity = (uuid: string) => ["-uuid", uuid]
const vga = ["-device", "VGA"]
const cpus = (count: number) => ["-smp", String(count)]

interface Options extends Pick<Guest.Options, "boot" | "incoming" | "qemu" | "args"> {
  readonly size?: number
}

/** A guest with a monitor that is named as it is written for QEMU. */
const start = Effect.fnUntraced(function* (space: Workspace.Workspace, name: string, options: Options) {
  const { args = [], size = 32 * MIB } = options
  const qmp = `unix:${space.file(`${name}-qmp`)},server=on,wait=off`
  const guest = yield* Guest.start({ ...options, ram: { size }, kvm: false, args: [...args, "-qmp", qmp] })
  return { guest, qmp, runState: Guest.runState(guest) }
})

describeQemus("multifd resume", ["5.2", "7.2", "10.0", "11.1"], (qemu) => {
  itSpace("compares first and names both values, touches nothing, and resumes into the right one", function* (space) {
    const image = space.file("image")
    const args = [...cpus(2), ...vga, ...identity(UUID)]
    const vm = yield* start(space, "vm", { qemu, args })
    const captured = yield* Cli.run("capture", "--qmp", vm.qmp, image)
    assert.strictEqual(captured.code, 0, captured.stderr)

    const wrong = [...cpus(4), ...identity(OTHER)]
    const other = yield* start(space, "other", { qemu, incoming: true, size: 64 * MIB, args: wrong })
    const refused = yield* Cli.run("resume", "--qmp", other.qmp, image)
    assert.strictEqual(refused.code, 2, refused.stderr)
    for (const words of [
      `the RAM block "pc.ram" has ${32 * MIB} bytes in ${image}, and ${64 * MIB} bytes in QEMU`,
      '.0/vga.vram" ',
      `${image} has 2 vCPUs, and QEMU has 4`,
      `the machine of ${image} has the uuid ${UUID}, and QEMU's has ${OTHER}`
    ]) {
      assert.include(refused.stderr, words)
    }
    assert.strictEqual(yield* other.runState, "inmigrate")

    const clone = yield* start(space, "clone", {
      qemu,
      incoming: true,
      args: [...cpus(2), ...vga, ...identity(OTHER)]
    })
    assert.include((yield* Cli.run("resume", "--qmp", clone.qmp, image)).stderr, "--new-identity")
    const cloned = yield* Cli.run("resume", "--qmp", clone.qmp, image, "--new-identity", "--paused")
    assert.strictEqual(cloned.code, 0, cloned.stderr)

    const fresh = yield* start(space, "fresh", { qemu, incoming: true, args })
    const resumed = yield* Cli.run("resume", "--qmp", fresh.qmp, image)
    assert.strictEqual(resumed.code, 0, resumed.stderr)
    assert.strictEqual(yield* fresh.runState, "running")
  })

  itSpace("a device that QEMU was not given: where QEMU says which", function* (space) {
    const image = space.file("image")
    const vm = yield* start(space, "vm", { qemu, args: ["-device", "virtio-rng-pci"] })
    assert.strictEqual((yield* Cli.run("capture", "--qmp", vm.qmp, image)).code, 0)
    const other = yield* start(space, "other", { qemu, incoming: true })
    const failed = yield* Cli.run("resume", "--qmp", other.qmp, image)
    const exits = qemu.major < 9
    assert.strictEqual(failed.code, exits ? 6 : 10, failed.stderr)
    // Where QEMU's monitor does not say which device it is, its standard error does, which is pointed to.
    const isSaid = failed.stderr.includes("virtio-rng")
    assert.match(failed.stderr, isSaid ? /standard error may say more/ : /standard error says why/)
    if (!isSaid) assert.match(other.guest.stderr(), /virtio-rng/)
  })
})

describeQemus("multifd receive, multifd send: the uuid", ["7.2", "10.0", "11.1"], (qemu) => {
  itSpace("of the channels is in the image, and is that of the channels again", function* (space) {
    const [image, socket] = [space.file("image"), `unix:${space.file("migration")}`]
    const multifd = { capabilities: [{ capability: "multifd", state: true }] }
    const vm = yield* start(space, "vm", { qemu, args: identity(UUID) })
    const { ran } = yield* Cli.listen("--listen", socket, image)
    yield* vm.guest.qmp.execute("migrate-set-capabilities", multifd)
    yield* vm.guest.qmp.execute("migrate", { uri: socket })
    const received = yield* ran
    assert.strictEqual(received.code, 0, received.stderr)
    const info = yield* Cli.run("info", "--json", image)
    assert.strictEqual(JSON.parse(info.stdout).notes.uuid, UUID)

    const fresh = yield* start(space, "fresh", { qemu, incoming: true, args: identity(UUID) })
    yield* fresh.guest.qmp.execute("migrate-set-capabilities", multifd)
    yield* fresh.guest.qmp.execute("migrate-incoming", { uri: socket })
    const sent = yield* Cli.run("send", image, "--to", socket)
    assert.strictEqual(sent.code, 0, sent.stderr)
  })
})

/** Writes SLP_EN to where SeaBIOS has put the power management of a PC, and waits. */
const powerOff = Buffer.from("ba0406b80020efebfe", "hex")

const bootDisk = (path: string): string => {
  const sector = Buffer.alloc(MIB)
  powerOff.copy(sector)
  sector.writeUInt16LE(0xaa55, 510)
  Fs.writeFileSync(path, sector)
  return path
}

/** Waits for a run state. */
const reach = (vm: { readonly runState: Effect.Effect<string, unknown> }, state: string) =>
  vm.runState.pipe(
    Effect.tap(() => Effect.sleep("100 millis")),
    Effect.repeat({ until: (now) => now === state })
  )

describeQemu("multifd resume of a guest that has ended", () => {
  itSpace("says so, and loads it to be looked at", function* (space) {
    const image = space.file("image")
    const boot = bootDisk(space.file("boot"))
    const vm = yield* start(space, "vm", { boot, args: ["-no-shutdown"] })
    yield* reach(vm, "shutdown")
    assert.strictEqual((yield* Cli.run("capture", "--qmp", vm.qmp, image)).code, 0)
    assert.include((yield* Cli.run("info", image)).stdout, "shutdown")
    const fresh = yield* start(space, "fresh", { boot, incoming: true, args: ["-no-shutdown"] })
    const refused = yield* Cli.run("resume", "--qmp", fresh.qmp, image)
    assert.strictEqual(refused.code, 2)
    assert.include(refused.stderr, "was shut down (shutdown); load it with --paused (paused) to look at it")
    const resumed = yield* Cli.run("resume", "--qmp", fresh.qmp, image, "--paused")
    assert.strictEqual(resumed.code, 0, resumed.stderr)
    assert.strictEqual(yield* fresh.runState, "shutdown")
  })

  itSpace("a QEMU that hangs: exit code 9, in time", function* (space) {
    const image = space.file("image")
    const vm = yield* start(space, "vm", {})
    assert.strictEqual((yield* Cli.run("capture", "--qmp", vm.qmp, image)).code, 0)
    const fresh = yield* start(space, "fresh", { incoming: true })
    process.kill(fresh.guest.pid, "SIGSTOP")
    const hung = yield* Cli.run("resume", "--qmp", fresh.qmp, image, "--timeout", "1")
    process.kill(fresh.guest.pid, "SIGCONT")
    assert.strictEqual(hung.code, 9, hung.stderr)
    const resumed = yield* Cli.run("resume", "--qmp", fresh.qmp, image, "--timeout", "30")
    assert.strictEqual(resumed.code, 0, resumed.stderr)
  })
})

/** Somebody without any rights. */
const NOBODY = 65534

/** A QEMU of another user, whose monitor can be reached. */
const launchAsNobody = (socket: string, args: ReadonlyArray<string>): Effect.Effect<string, unknown, Scope.Scope> =>
  Effect.gen(function* () {
    const qmp = `unix:${socket},server=on,wait=off`
    const machine = [
      "-nodefaults",
      "-display",
      "none",
      "-accel",
      "tcg",
      "-machine",
      "pc",
      "-m",
      "32",
      "-S",
      "-qmp",
      qmp
    ]
    yield* Effect.acquireRelease(
      Effect.sync(() =>
        ChildProcess.spawn(Qemu.binary, [...machine, ...args], { uid: NOBODY, gid: NOBODY, stdio: "ignore" })
      ),
      (child) => Effect.sync(() => void child.kill("SIGKILL"))
    )
    const isThere = Effect.sync(() => Fs.existsSync(socket))
    yield* isThere.pipe(
      Effect.tap(() => Effect.sleep("100 millis")),
      Effect.repeat({ until: Boolean })
    )
    return qmp
  })

/** Only root starts processes of others, and the QEMUs of other suites may lie where others cannot go. */
const canBeStartedByNobody =
  process.getuid?.() === 0 &&
  ChildProcess.spawnSync(Qemu.binary, ["--version"], { uid: NOBODY, gid: NOBODY }).status === 0

if (!canBeStartedByNobody) {
  it.skip("a QEMU of another user (skipped: needs root, and a QEMU that every user may start)", () => {})
} else {
  describeQemu("a QEMU of another user", () => {
    for (const way of ["unix", "tcp"] as const) {
      itSpace(`is captured and resumed through --listen ${way}:…, which the error names`, function* (space) {
        const folder = space.file("shared")
        Fs.mkdirSync(folder)
        Fs.chownSync(folder, NOBODY, NOBODY)
        Fs.chmodSync(Path.dirname(folder), 0o711)
        const image = space.file("image")
        const listen = way === "unix" ? `unix:${Path.join(folder, "migration")}` : "tcp:127.0.0.1:46917"

        const vm = yield* launchAsNobody(Path.join(folder, "vm"), [])
        const failed = yield* Cli.run("capture", "--qmp", vm, image)
        assert.strictEqual(failed.code, 10)
        assert.match(failed.stderr, /cannot meet at unix:\S+: .*Permission denied; .*--listen unix:PATH/)
        const captured = yield* Cli.run("capture", "--qmp", vm, image, "--listen", listen)
        assert.strictEqual(captured.code, 0, captured.stderr)

        const lost = yield* launchAsNobody(Path.join(folder, "lost"), ["-incoming", "defer"])
        const refused = yield* Cli.run("resume", "--qmp", lost, image)
        assert.strictEqual(refused.code, 10)
        assert.match(refused.stderr, /cannot meet at unix:\S+: .*Permission denied; .*start this QEMU again first/)
        const fresh = yield* launchAsNobody(Path.join(folder, "fresh"), ["-incoming", "defer"])
        const resumed = yield* Cli.run("resume", "--qmp", fresh, image, "--listen", listen)
        assert.strictEqual(resumed.code, 0, resumed.stderr)
      })
    }
  })
}
