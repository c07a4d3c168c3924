/** Files that people have and try: what the tools write that make them. */
import { assert, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { execFileSync } from "node:child_process"
import * as Fs from "node:fs"
import * as Net from "node:net"
import { itSpace } from "../support/qemu/it.ts"
import * as Cli from "../support/qemu/cli.ts"
import * as Files from "../support/qemu/files.ts"
import * as Guest from "../support/qemu/guest.ts"
import * as Migrate from "../support/qemu/migrate.ts"
import * as Pattern from "../support/qemu/pattern.ts"
import { describeQemu, describeWhere } from "../support/qemu/suite.ts"
import * as Workspace from "../support/qemu/workspace.ts"

const MIB = 1024 * 1024

/** Exit code 3, and what it is in one line, of both commands. */
const isCalled = (path: string, words: RegExp) =>
  Effect.gen(function* () {
    const info = yield* Cli.run("info", path)
    assert.strictEqual(info.code, 3, info.stderr)
    assert.match(info.stderr, words)
    const verified = yield* Cli.run("verify", path)
    assert.deepStrictEqual([verified.code, verified.stderr], [3, ""])
    assert.match(verified.stdout, words)
  })

const isThere = (tool: string): boolean => {
  try {
    execFileSync(tool, ["--version"], { stdio: "ignore" })
    return true
  } catch {
    return false
  }
}

const archives: ReadonlyArray<readonly [tool: string, args: ReadonlyArray<string>, words: RegExp]> = [
  ["gzip", ["-c"], /a gzip file; decompress it first: gzip -dc FILE/],
  ["zstd", ["-q", "-c"], /a zstd file; decompress it first: zstd -dc FILE/],
  ["xz", ["-c"], /an xz file; decompress it first: xz -dc FILE/],
  ["bzip2", ["-c"], /a bzip2 file; decompress it first: bzip2 -dc FILE/],
  ["tar", ["-c", "-P"], /a tar archive; unpack it first: tar -xf FILE/]
]

for (const [tool, args, words] of archives) {
  describeWhere(`${tool}`, { isThere: isThere(tool), isRequired: false, missing: `needs ${tool}` }, () => {
    itSpace("what it writes is called by its name", function* (space) {
      const path = space.file("packed")
      Fs.writeFileSync(space.file("plain"), Buffer.alloc(20_000, "image"))
      Fs.writeFileSync(path, execFileSync(tool, [...args, space.file("plain")]))
      yield* isCalled(path, words)
    })
  })
}

const disks = [
  ["qcow2", /a QEMU disk image \(qcow2\)/],
  ["vmdk", /a VMware disk image; qemu-img convert/],
  ["vdi", /a VirtualBox disk image; qemu-img convert/],
  ["vhdx", /a Hyper-V disk image; qemu-img convert/]
] as const

describeWhere("qemu-img", { isThere: isThere("qemu-img"), isRequired: false, missing: "needs qemu-img" }, () => {
  it.live.each(disks)("%s: a disk is called by its name", ([format, words]) =>
    Effect.gen(function* () {
      const path = (yield* Workspace.make).file("disk")
      execFileSync("qemu-img", ["create", "-q", "-f", format, path, "64M"])
      yield* isCalled(path, words)
    })
  )
})

describeQemu("files of QEMU that are no images", () => {
  itSpace("a core dump, and an empty file", function* (space) {
    const guest = yield* Guest.start({ ram: { file: space.ram("ram"), size: 8 * MIB } })
    const core = space.file("core")
    yield* guest.qmp.execute("dump-guest-memory", { paging: false, protocol: `file:${core}` })
    yield* isCalled(core, /an ELF core dump [^;]*; it has no device state/)
    Fs.writeFileSync(space.file("empty"), "")
    yield* isCalled(space.file("empty"), /an empty file; nothing was saved into it/)
  })

  itSpace("a plain stream, and its way on leads to an image", function* (space) {
    const [ram, plain] = [space.ram("ram"), space.file("plain")]
    Pattern.writeFile(ram, "mixed", 8 * MIB)
    const guest = yield* Guest.start({ ram: { file: ram, size: 8 * MIB } })
    yield* Migrate.outgoing(guest, `file:${plain}`, {})
    yield* isCalled(plain, /a plain migration stream; multifd receive --channels 0/)

    const socket = space.file("socket")
    const { ran } = yield* Cli.listen("--listen", `unix:${socket}`, "--channels", "0", space.file("image"))
    const connection = Net.connect(socket)
    Fs.createReadStream(plain).pipe(connection)
    const received = yield* ran
    assert.strictEqual(received.code, 0, received.stderr)
    const restored = space.file("restored")
    Fs.writeFileSync(restored, "")
    const block = `${Guest.MAIN_BLOCK}=${restored}`
    assert.strictEqual((yield* Cli.run("restore", space.file("image"), "--block", block)).code, 0)
    assert.strictEqual(Files.firstDifference(ram, restored), undefined)
  })
})
