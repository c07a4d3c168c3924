/** The program as a process: exit codes, signals, and streams that nobody reads. */
import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as ChildProcess from "node:child_process"
import * as Fs from "node:fs"
import * as Os from "node:os"
import * as Path from "node:path"
import { bundleCommand } from "../../scripts/bundle.ts"
import { problemsOf } from "../support/cli/documents.ts"
import { folder, pages } from "../support/cli/files.ts"

const root = Path.resolve(import.meta.dirname, "../..")

/** The program from its sources, and as one file, as the package has it. */
const programs = {
  sources: async () => Path.join(root, "src/bin.ts"),
  bundle: async () => {
    const folder = Fs.mkdtempSync(Path.join(root, "node_modules/.cache/bundle-"))
    Fs.copyFileSync(Path.join(root, "package.json"), Path.join(folder, "package.json"))
    await bundleCommand(Path.join(folder, "dist"))
    return Path.join(folder, "dist/bin.js")
  }
}

let BIN = ""

interface Ended {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  readonly stdout: string
  readonly stderr: string
}

/** Runs the program to its end; `onStderr` sees what it has written so far, and the process. */
const run = (
  args: ReadonlyArray<string>,
  onStderr?: (text: string, child: ChildProcess.ChildProcess) => void,
  nodeFlags: ReadonlyArray<string> = []
): Effect.Effect<Ended> =>
  Effect.callback<Ended>((resume) => {
    const child = ChildProcess.spawn(process.execPath, [...nodeFlags, BIN, ...args], {
      stdio: ["ignore", "pipe", "pipe"]
    })
    let stdout = ""
    let stderr = ""
    child.stdout.setEncoding("utf8").on("data", (text: string) => void (stdout += text))
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      stderr += text
      onStderr?.(stderr, child)
    })
    child.on("close", (code, signal) => resume(Effect.succeed({ code, signal, stdout, stderr })))
    return Effect.sync(() => void child.kill("SIGKILL"))
  })

/** Signals the process once, when `text` has come: a second SIGINT would end it without any tidying up, as it should. */
const signalAt = (expected: string, signal: NodeJS.Signals) => {
  let sent = false
  return (text: string, child: ChildProcess.ChildProcess): void => {
    if (sent || !text.includes(expected)) return
    sent = child.kill(signal)
  }
}

/** Far more than can be scanned in a test, and nothing of it on the disk. */
const ENDLESS = 2 ** 40

const endless = (path: string): string => {
  Fs.writeFileSync(path, "")
  Fs.truncateSync(path, ENDLESS)
  return path
}

describe.each(["sources", "bundle"] as const)("bin: %s", { timeout: 60_000 }, (program) => {
  beforeAll(async () => {
    BIN = await programs[program]()
  })
  afterAll(() => {
    if (program === "bundle") Fs.rmSync(Path.dirname(Path.dirname(BIN)), { recursive: true })
  })

  it.live.skipIf(!Fs.existsSync("/dev/full"))("output that cannot be written is no success; a reader may go away", () =>
    Effect.gen(function* () {
      const files = yield* folder
      files.write("ram", pages(3))
      assert.include(yield* run(["save", "--block", `pc.ram=${files.at("ram")}`, files.at("vm.img")]), { code: 0 })
      const shell = (line: string) =>
        Effect.sync(() =>
          ChildProcess.spawnSync("bash", ["-c", `set -o pipefail; "$0" "$@" ${line}`, process.execPath, BIN, ...args], {
            encoding: "utf8"
          })
        )
      const image = files.at("vm.img")
      let args: ReadonlyArray<string> = []
      for (args of [
        ["info", image],
        ["verify", image],
        ["recover", image, files.at("new.img")],
        ["completions", "bash"],
        ["--version"]
      ]) {
        const full = yield* shell("> /dev/full")
        assert.include(full, { status: 7, stderr: "multifd: standard output: write: no space left (ENOSPC)\n" })
      }
      args = ["info", image]
      assert.include(yield* shell("| true"), { status: 0, stderr: "" })
    })
  )

  it.live("a save, a restore and their exit codes", () =>
    Effect.gen(function* () {
      const files = yield* folder
      const ram = pages(300)
      files.write("ram", ram)
      const saved = yield* run([
        "save",
        "--block",
        `pc.ram=${files.at("ram")}`,
        files.at("vm.img"),
        "--progress",
        "line"
      ])
      assert.include(saved, { code: 0, stdout: "" })
      assert.include(saved.stderr, "1.17 MiB (300 pages, 100 zero) in ")
      const args = ["restore", files.at("vm.img"), "--block", `pc.ram=${files.at("new")}`]
      assert.deepStrictEqual(yield* run(args), { code: 0, signal: null, stdout: "", stderr: "" })
      assert.isTrue(files.read("new").equals(ram))

      const { version } = JSON.parse(Fs.readFileSync(Path.join(root, "package.json"), "utf8"))
      assert.include(yield* run(["--version"]), { code: 0, stdout: `multifd ${version}\n`, stderr: "" })
      assert.include(yield* run(["info"]), { code: 2, stdout: "" })
      assert.include(yield* run(["info", files.at("ram")]), { code: 3, stdout: "" })
      assert.include(yield* run(["info", files.at("nothing")]), { code: 6, stdout: "" })
    })
  )

  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    it.live(`${signal} in the middle of a save: exit code 130, the old image is as it was, nothing else is left`, () =>
      Effect.gen(function* () {
        const files = yield* folder
        const ram = endless(files.at("ram"))
        files.write("vm.img", Buffer.from("the old image"))
        const args = ["save", "--block", `pc.ram=${ram}`, files.at("vm.img"), "--progress", "json", "--json"]
        let during: ReadonlyArray<string> | undefined
        const ended = yield* run(args, (text, child) => {
          if (during !== undefined || !text.includes('"phase":"ram"')) return
          during = files.list()
          child.kill(signal)
        })
        assert.include(ended, { code: 130, signal: null })
        assert.deepStrictEqual(JSON.parse(ended.stdout), {
          version: 1,
          command: "save",
          error: { tag: "Interrupted", message: "nothing was written", exitCode: 130 }
        })
        assert.match(ended.stderr, /\{"event":"interrupted","message":"nothing was written","exitCode":130\}\n$/)
        assert.lengthOf(during!, 3)
        assert.deepStrictEqual(files.list(), ["ram", "vm.img"])
        assert.strictEqual(files.read("vm.img").toString(), "the old image")
      })
    )
  }

  it.live("SIGINT while the image gets its name: exit code 0, and the image is there", () =>
    Effect.gen(function* () {
      const files = yield* folder
      files.write("ram", pages(30))
      files.write(
        "signal.mjs",
        Buffer.from(`import Fs from "node:fs"
          import { syncBuiltinESMExports } from "node:module"
          const { rename } = Fs
          Fs.rename = (from, to, done) => {
            process.kill(process.pid, "SIGINT")
            setTimeout(() => rename(from, to, done), 200)
          }
          syncBuiltinESMExports()`)
      )
      const preload = ["--import", files.at("signal.mjs")]
      const args = ["save", "--block", `pc.ram=${files.at("ram")}`, files.at("vm.img"), "--progress", "json", "--json"]
      const ended = yield* run(args, undefined, preload)
      assert.include(ended, { code: 0, signal: null })
      assert.deepStrictEqual(problemsOf(JSON.parse(ended.stdout)), [])
      assert.include(JSON.parse(ended.stdout), { command: "save", pages: 30 })
      assert.match(ended.stderr, /\{"event":"completed",[^\n]+\}\n$/)
      assert.include(yield* run(["verify", files.at("vm.img")]), { code: 0 })
    })
  )

  it.live.skipIf(process.platform !== "linux")("an argument that is not UTF-8 is refused, and U+FFFD is not", () =>
    Effect.gen(function* () {
      const files = yield* folder
      files.write("ram", pages(3))
      const save = (name: string) =>
        Effect.sync(() =>
          ChildProcess.spawnSync(
            "bash",
            ["-c", `"$0" "$1" save --block "pc.ram=$2/ram" "$2"/$'${name}'`, process.execPath, BIN, files.at("")],
            { encoding: "utf8" }
          )
        )
      const before = files.list()
      const refused = yield* save("x\\xff.img")
      assert.include(refused, { status: 2, stdout: "" })
      const argument = `argument 4: $'${files.at("")}/x\\xff.img'`
      const line = `multifd: cannot read the arguments: they are not UTF-8 (${argument}); give the file a name in UTF-8\n`
      assert.strictEqual(refused.stderr, line)
      assert.deepStrictEqual(files.list(), before)
      assert.include(yield* save("x\\xef\\xbf\\xbd.img"), { status: 0, stderr: "" })
      assert.include(files.list(), "x\ufffd.img")
    })
  )

  it.live("SIGINT while nobody has come: exit code 130, the old image is as it was, nothing else is left", () =>
    Effect.gen(function* () {
      const files = yield* folder
      files.write("vm.img", Buffer.from("the old image"))
      const args = ["receive", "--listen", `unix:${files.at("socket")}`, files.at("vm.img"), "--progress", "json"]
      const ended = yield* run(args, signalAt('"listening"', "SIGINT"))
      assert.include(ended, { code: 130, signal: null, stdout: "" })
      assert.match(ended.stderr, /^\{"event":"listening","uri":"unix:[^\n]*socket"\}\n/)
      assert.deepStrictEqual(files.list(), ["vm.img"])
      assert.strictEqual(files.read("vm.img").toString(), "the old image")
    })
  )

  it.live("SIGINT in the middle of sending: exit code 130 here, 6 there, and no image", () =>
    Effect.gen(function* () {
      const files = yield* folder
      files.write("ram", pages(3000))
      yield* run(["save", "--block", `pc.ram=${files.at("ram")}`, files.at("vm.img")])
      const uri = `unix:${files.at("socket")}`
      const slow = ["send", files.at("vm.img"), "--to", uri, "--max-bandwidth", "1M", "--progress", "json"]
      const sending = Effect.suspend(() => run(slow, signalAt('"phase":"ram"', "SIGINT")))
      const listening = yield* Deferred.make<void>()
      const receive = run(["receive", "--listen", uri, files.at("new.img"), "--progress", "json"], () =>
        Deferred.doneUnsafe(listening, Effect.void)
      )
      const send = Effect.andThen(Deferred.await(listening), sending)
      const [received, sent] = yield* Effect.all([receive, send], { concurrency: 2 })
      assert.include(sent, { code: 130, signal: null })
      assert.strictEqual(received.code, 6, received.stderr)
      assert.deepStrictEqual(files.list(), ["ram", "vm.img"])
    })
  )

  it.live("a progress line that nobody reads stops nothing", () =>
    Effect.gen(function* () {
      const files = yield* folder
      files.write("ram", pages(300))
      const args = ["save", "--block", `pc.ram=${files.at("ram")}`, files.at("vm.img"), "--progress", "line"]
      const script = `"$0" "$@" 2>&1 >/dev/null | true; exit \${PIPESTATUS[0]}`
      const code = yield* Effect.callback<number | null>((resume) => {
        const child = ChildProcess.spawn("bash", ["-c", script, process.execPath, BIN, ...args], { stdio: "ignore" })
        child.on("close", (code) => resume(Effect.succeed(code)))
      })
      assert.strictEqual(code, 0)
      assert.include(yield* run(["verify", files.at("vm.img")]), { code: 0 })
    })
  )

  it.live.skipIf(program === "sources")("compiled code is kept in a directory of the user", () =>
    Effect.gen(function* () {
      const files = yield* folder
      const { NODE_COMPILE_CACHE: _, ...env } = process.env
      const own = { ...env, HOME: Os.userInfo().homedir, XDG_CACHE_HOME: files.at("cache") }
      const { status } = ChildProcess.spawnSync(process.execPath, [BIN, "--version"], { env: own })
      assert.strictEqual(status, 0)
      assert.isNotEmpty(Fs.readdirSync(files.at("cache/multifd")))
      const other = { ...own, HOME: files.at("home"), XDG_CACHE_HOME: files.at("other") }
      ChildProcess.spawnSync(process.execPath, [BIN, "--version"], { env: other })
      assert.isFalse(Fs.existsSync(files.at("other")))
    })
  )

  it.live("completions are what the shell can read", () =>
    Effect.gen(function* () {
      const { code, stdout } = yield* run(["completions", "bash"])
      assert.strictEqual(code, 0)
      const { status, stderr } = ChildProcess.spawnSync("bash", ["-n"], { input: stdout, encoding: "utf8" })
      assert.deepStrictEqual({ status, stderr }, { status: 0, stderr: "" })
    })
  )

  /** Runs the program in a Node that says it has another version. */
  const runAs = (version: string) =>
    Effect.sync(() => {
      const code = `Object.defineProperty(process.versions, "node", { value: ${JSON.stringify(version)} })`
      const args = ["--import", `data:text/javascript,${encodeURIComponent(code)}`, BIN, "--version"]
      const { status, stderr, stdout } = ChildProcess.spawnSync(process.execPath, args, { encoding: "utf8" })
      return { status, stderr, stdout }
    })

  it.live("a Node that is too old is refused in one line, with exit code 2, and no other", () =>
    Effect.gen(function* () {
      for (const version of ["16.20.2", "20.20.2", "21.7.3", "22.18.0", "23.7.0"]) {
        const stderr = `multifd: cannot run on Node ${version} (${process.execPath}); install Node 22.19 or newer\n`
        assert.deepStrictEqual(yield* runAs(version), { status: 2, stdout: "", stderr })
      }
      for (const version of ["22.19.0", "23.8.0", "24.0.0", "100.0.0"])
        assert.include(yield* runAs(version), { status: 0, stderr: "" })
      const { engines } = JSON.parse(Fs.readFileSync(Path.join(root, "package.json"), "utf8"))
      assert.strictEqual(engines.node, "^22.19.0 || >=23.8.0")
    })
  )
})
