import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fs from "node:fs"
import * as Net from "node:net"
import * as Command from "../support/cli/command.ts"
import * as Files from "../support/cli/files.ts"

/** A Unix socket whose listener does something to whoever connects. */
const listen = (path: string, greet: (socket: Net.Socket) => void) =>
  Effect.acquireRelease(
    Effect.callback<Net.Server>((resume) => {
      const server = Net.createServer(greet)
      server.listen(path, () => resume(Effect.succeed(server)))
    }),
    (server) => Effect.callback<void>((resume) => void server.close(() => resume(Effect.void)))
  )

describe("capture and resume", () => {
  for (const command of ["capture", "resume"]) {
    it.live(`${command}: a command line that makes no sense`, () =>
      Effect.gen(function* () {
        const wrong: ReadonlyArray<readonly [ReadonlyArray<string>, string]> = [
          [["vm.img"], "--qmp"],
          [["--qmp", "file:/run/qmp", "vm.img"], "is no monitor; use a socket's path, unix:PATH or tcp:HOST:PORT"],
          [["--qmp", "/run/qmp,offset=1", "vm.img", "--channels", "256"], '--channels is "256"; use 0 to 255'],
          [["--qmp", "tcp:nowhere", "vm.img"], "--qmp:"],
          [["--qmp", "/run/qmp", "vm.img", "--compression", "lz4"], "lz4"],
          [["--qmp", "/run/qmp", "tcp:h:1"], "is no file; use file:PATH or a path"],
          [
            ["--qmp", "telnet:127.0.0.1:1,server=on", "vm.img"],
            "of a monitor without telnet (-qmp unix:PATH,server=on"
          ],
          [["--qmp", "tcp:127.0.0.1:1,server=on,telnet=on", "vm.img"], "of a monitor without telnet"],
          [["--qmp", `/${"x".repeat(107)}`, "vm.img"], "use a path of 1 to 107 bytes"],
          [
            ["--qmp", "/run/qmp", "vm.img", "--listen", "/run/vm"],
            '--listen is "/run/vm"; use tcp:HOST:PORT or unix:PATH'
          ]
        ]
        for (const [args, problem] of wrong) {
          const ran = yield* Command.run(command, ...args)
          assert.strictEqual(ran.code, 2, args.join(" "))
          assert.include(ran.stderr, problem)
        }
      })
    )
  }

  it.live("capture: options of its own that make no sense", () =>
    Effect.gen(function* () {
      for (const args of [
        ["--leave", "alone"],
        ["--max-bandwidth", "fast"],
        ["--live", "--max-rounds", "0"],
        ["--live", "--max-seconds", "0"],
        ["--live", "--downtime-limit", "short"],
        ["--timeout", "-1"]
      ]) {
        assert.include(yield* Command.run("capture", "--qmp", "/run/qmp", "vm.img", ...args), { code: 2 })
      }
    })
  )

  it.live("nobody at the socket: one line, exit code 6, no file", () =>
    Effect.gen(function* () {
      const files = yield* Files.folder
      const none = files.at("none")
      for (const socket of [
        ...[
          none,
          `unix:${none}`,
          `unix:${none},server=on,wait=off`,
          `unix:${none},server,nowait`,
          `unix:${none},reconnect=1`
        ],
        ...["tcp:127.0.0.1:1", "tcp:127.0.0.1:1,server=on,wait=off,ipv4=on"]
      ]) {
        const ran = yield* Command.run("capture", "--qmp", socket, files.at("vm.img"))
        assert.strictEqual(ran.code, 6, socket)
        const [address] = socket.replace(/^\//, "unix:/").split(",")
        assert.match(ran.stderr, /^multifd: .*: cannot connect \(\w+\)\n$/)
        assert.include(ran.stderr, `${address}: `)
      }
      assert.isFalse(Fs.existsSync(files.at("vm.img")))
    })
  )

  it.live("somebody else at the socket: exit code 8, and who hangs up: 6", () =>
    Effect.gen(function* () {
      const files = yield* Files.folder
      yield* listen(files.at("ssh"), (socket) => void socket.on("error", () => {}).end("SSH-2.0-OpenSSH\n"))
      yield* listen(files.at("gone"), (socket) => void socket.destroy())
      const ssh = yield* Command.run("capture", "--qmp", files.at("ssh"), files.at("vm.img"), "--progress", "json")
      assert.strictEqual(ssh.code, 8)
      const failed = JSON.parse(ssh.stderr.trim().split("\n").at(-1)!)
      assert.deepInclude(failed, { event: "failed", error: "QmpProtocolError", exitCode: 8 })
      assert.include(yield* Command.run("capture", "--qmp", files.at("gone"), files.at("vm.img")), { code: 6 })
    })
  )

  it.live("a monitor for people: exit code 8, and which one would do", () =>
    Effect.gen(function* () {
      const files = yield* Files.folder
      const banner = "QEMU 10.0.2 monitor - type 'help' for more information\r\n(qemu) "
      yield* listen(files.at("hmp"), (socket) => void socket.on("error", () => {}).write(banner))
      const ran = yield* Command.run("capture", "--qmp", files.at("hmp"), files.at("vm.img"))
      assert.strictEqual(ran.code, 8)
      assert.include(ran.stderr, "QEMU's human monitor (-monitor); QEMU has a QMP monitor with -qmp unix:PATH")
    })
  )

  it.live("resume --timeout: a monitor that says nothing, exit code 9", () =>
    Effect.gen(function* () {
      const files = yield* Files.folder
      Fs.writeFileSync(files.at("ram"), Buffer.alloc(8192, 7))
      assert.include(yield* Command.run("save", "--block", `pc.ram=${files.at("ram")}`, files.at("vm.img")), {
        code: 0
      })
      yield* listen(files.at("hung"), (socket) => void socket.on("error", () => {}))
      const began = performance.now()
      const ran = yield* Command.run("resume", "--qmp", files.at("hung"), files.at("vm.img"), "--timeout", "0.3")
      assert.strictEqual(ran.code, 9, ran.stderr)
      assert.isBelow(performance.now() - began, 8000)
      assert.include(ran.stderr, "QEMU's greeting")
    })
  )

  it.live("resume looks at the image before it looks at the machine", () =>
    Effect.gen(function* () {
      const files = yield* Files.folder
      Fs.writeFileSync(files.at("vm.img"), "no image")
      assert.include(yield* Command.run("resume", "--qmp", files.at("none"), files.at("vm.img")), { code: 3 })
    })
  )
})
