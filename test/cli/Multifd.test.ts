import { assert, describe, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Fs from "node:fs"
import * as FileCalls from "../../src/io/files/FileCalls.ts"
import * as Image from "../../src/image/Image.ts"
import * as Migration from "../../src/migration/Migration.ts"
import * as FaultyFiles from "../../src/testing/FaultyFiles.ts"
import * as Command from "../support/cli/command.ts"
import { folder, pages } from "../support/cli/files.ts"

const PAGES = 40

/** Saves two blocks, one of them out of the middle of a file, and gives the folder that everything is in. */
const savedImage = Effect.gen(function* () {
  const files = yield* folder
  const ram = pages(PAGES)
  files.write("ram", ram)
  files.write("dump", Buffer.concat([Buffer.alloc(4096, 0xee), pages(2, 7), Buffer.alloc(4096, 0xee)]))
  const blocks = [`pc.ram=${files.at("ram")}`, `/rom@etc/acpi/tables=${files.at("dump")},offset=4k,length=8k`]
  const ran = yield* Command.run("save", "--block", blocks[0]!, "--block", blocks[1]!, files.at("vm.img"))
  assert.deepStrictEqual(ran, { code: 0, stdout: "", stderr: "" })
  return { ...files, image: files.at("vm.img"), ram }
})

const json = (text: string) => JSON.parse(text)

/** Runs a command that has to succeed, and gives what it printed. */
const succeed = Effect.fnUntraced(function* (...args: ReadonlyArray<string>) {
  const { code, stderr, stdout } = yield* Command.run(...args)
  assert.strictEqual(code, 0, stderr)
  return stdout
})

describe("multifd", () => {
  it.effect("save and restore: the same bytes, in new files of mode 0600", () =>
    Effect.gen(function* () {
      const { at, image, list, ram, read } = yield* savedImage
      yield* succeed("restore", image, "--block", `pc.ram=${at("new")}`, "--block", `/rom@etc/acpi/tables=${at("rom")}`)
      assert.isTrue(read("new").equals(ram))
      assert.isTrue(read("rom").equals(pages(2, 7)))
      assert.strictEqual(Fs.statSync(at("new")).mode & 0o777, 0o600)
      assert.deepStrictEqual(list(), ["dump", "new", "ram", "rom", "vm.img"])
    })
  )

  it.effect(
    "restore: an existing file is overwritten in place, zeroed where pages are zero, and only in the range",
    () =>
      Effect.gen(function* () {
        const { at, image, ram, read, write } = yield* savedImage
        const old = Buffer.alloc(ram.length + 3 * 4096, 0xa5)
        write("old", old)
        const { ino } = Fs.statSync(at("old"))
        yield* succeed("restore", image, "--block", `pc.ram=${at("old")},offset=0x1000`, "--channels=2")
        assert.isTrue(read("old").equals(Buffer.concat([old.subarray(0, 4096), ram, old.subarray(-8192)])))
        assert.strictEqual(Fs.statSync(at("old")).ino, ino)
      })
  )

  it.effect("restore: several blocks share one new file", () =>
    Effect.gen(function* () {
      const { at, image, ram, read } = yield* savedImage
      const rom = `/rom@etc/acpi/tables=${at("all")}`
      yield* succeed("restore", image, "--block", `pc.ram=${at("all")},offset=12k`, "--block", rom)
      assert.isTrue(read("all").equals(Buffer.concat([pages(2, 7), Buffer.alloc(4096), ram])))
    })
  )

  it.effect("restore: nothing is created or touched when the request makes no sense", () =>
    Effect.gen(function* () {
      const { at, image, list, read, write } = yield* savedImage
      write("old", Buffer.alloc(4096, 1))
      const before = list()
      const cases: ReadonlyArray<readonly [string, ReadonlyArray<string>]> = [
        ['has no block "pc.rom"', [`pc.ram=${at("new")}`, `pc.rom=${at("old")}`]],
        ["does not fit", [`/rom@etc/acpi/tables=${at("new")}`, `pc.ram=${at("old")},length=4k`]],
        ["given twice", [`pc.ram=${at("new")}`, `pc.ram=${at("old")}`]],
        ["overlap", [`pc.ram=${at("new")}`, `/rom@etc/acpi/tables=${at("new")},offset=4k`]],
        ["overwrite the image itself", [`pc.ram=${image}`]]
      ]
      for (const [reason, blocks] of cases) {
        const { code, stderr, stdout } = yield* Command.run("restore", image, ...blocks.flatMap((b) => ["--block", b]))
        assert.strictEqual(code, 2, stderr)
        assert.include(stderr, reason)
        assert.match(stderr, /^multifd: [^\n]+\n$/)
        assert.strictEqual(stdout, "")
      }
      assert.deepStrictEqual(list(), before)
      assert.isTrue(read("old").equals(Buffer.alloc(4096, 1)))
      yield* succeed("verify", image)
    })
  )

  it.effect("restore: a new file that cannot be completed is not there", () =>
    Effect.gen(function* () {
      const { at, image, list } = yield* savedImage
      const before = list()
      const rom = `/rom@etc/acpi/tables=${at("missing/rom")}`
      const { code, stderr } = yield* Command.run("restore", image, "--block", `pc.ram=${at("new")}`, "--block", rom)
      assert.strictEqual(code, 6)
      assert.match(stderr, /^multifd: [^\n]*missing[^\n]+\n$/)
      assert.deepStrictEqual(list(), before)
    })
  )

  it.effect("restore: an interruption leaves no new file", () =>
    Effect.gen(function* () {
      const { at, image, list } = yield* savedImage
      const before = list()
      const writing = yield* Deferred.make<ReadonlyArray<string>>()
      const goOn = yield* Deferred.make<void>()
      const write: FileCalls.Calls["write"] = (...args) => {
        Deferred.doneUnsafe(writing, Effect.sync(list))
        Effect.runFork(
          Effect.andThen(
            Deferred.await(goOn),
            Effect.sync(() => Fs.write(...args))
          )
        )
      }
      const restoring = yield* Command.run("restore", image, "--block", `pc.ram=${at("new")}`).pipe(
        Effect.provideService(FileCalls.FileCalls, { ...Fs, write }),
        Effect.forkChild
      )
      assert.lengthOf(yield* Deferred.await(writing), before.length + 1)
      const interruption = yield* Effect.forkChild(Fiber.interrupt(restoring))
      yield* Effect.yieldNow
      yield* Deferred.succeed(goOn, undefined)
      yield* Fiber.join(interruption)
      assert.deepStrictEqual(list(), before)
    })
  )

  it.effect("info --json: the shape that scripts rely on", () =>
    Effect.gen(function* () {
      const { image, ram } = yield* savedImage
      const info = json(yield* succeed("info", "--json", image))
      assert.include(info, { format: "mapped-ram", offset: 0, machine: "none", runState: null })
      assert.deepStrictEqual(info.capabilities, ["mapped-ram"])
      assert.deepStrictEqual(info.deviceSections, [])
      const [main, rom] = info.blocks
      assert.hasAllKeys(main, [
        "idstr",
        "usedLength",
        "pageSize",
        "bitmapOffset",
        "pagesOffset",
        "pages",
        "pagesPresent"
      ])
      assert.include(main, { idstr: "pc.ram", usedLength: ram.length, pageSize: 4096, pages: PAGES, pagesPresent: 27 })
      assert.include(rom, { idstr: "/rom@etc/acpi/tables", usedLength: 8192, pages: 2, pagesPresent: 1 })
      assert.isTrue(
        Fs.readFileSync(image)
          .subarray(main.pagesOffset, main.pagesOffset + 4096)
          .equals(ram.subarray(0, 4096))
      )
    })
  )

  it.effect("info for people", () =>
    Effect.gen(function* () {
      const { image } = yield* savedImage
      const text = yield* succeed("info", image)
      for (const part of ["mapped-ram", "pc.ram", "160 KiB", "/rom@etc/acpi/tables", "none"]) assert.include(text, part)
      assert.match(text, /run state +not in the file/)
    })
  )

  it.effect("info shows what is noted in the seal", () =>
    Effect.gen(function* () {
      const { at, image } = yield* savedImage
      assert.deepStrictEqual(json(yield* succeed("info", "--json", image)).notes, {})
      const notes = {
        uuid: "2b6f0cc9-04d1-4b5c-9e0c-0123456789ab",
        marks: "each-round",
        lost: [{ idstr: "pc.ram", pages: 16 }]
      } as const
      const noted = Effect.gen(function* () {
        const source = yield* Image.open(image)
        yield* Migration.make.convert({ source, target: at("noted.img"), notes })
      })
      yield* Effect.scoped(noted)
      assert.deepStrictEqual(json(yield* succeed("info", "--json", at("noted.img"))).notes, notes)
      const text = yield* succeed("info", at("noted.img"))
      for (const part of [notes.uuid, "each-round", "16 pages of pc.ram"]) assert.include(text, part)
      yield* succeed("convert", at("noted.img"), at("again.img"))
      assert.deepStrictEqual(json(yield* succeed("info", "--json", at("again.img"))).notes, notes)
    })
  )

  it.effect("images at an offset of a file", () =>
    Effect.gen(function* () {
      const { at, image, ram, read, write } = yield* savedImage
      write("store", Buffer.alloc(12345, 7))
      const uri = `file:${at("store")},offset=12345`
      yield* succeed("convert", image, uri)
      assert.isTrue(read("store").subarray(0, 12345).equals(Buffer.alloc(12345, 7)))
      assert.strictEqual(json(yield* succeed("info", uri, "--json")).offset, 12345)
      yield* succeed("verify", uri)
      yield* succeed("restore", uri, "--block", `pc.ram=${at("new")}`)
      assert.isTrue(read("new").equals(ram))
      assert.strictEqual((yield* Command.run("info", at("store"))).code, 3)
    })
  )

  it.effect("save --device-state: the other blocks come from the image", () =>
    Effect.gen(function* () {
      const { at, image, read } = yield* savedImage
      const other = pages(PAGES, 99)
      Fs.writeFileSync(at("other"), Buffer.concat([other, Buffer.alloc(100)]))
      const out = at("out.img")
      yield* succeed("save", "--block", `pc.ram=${at("other")}`, "--device-state", image, out)
      assert.lengthOf(json(yield* succeed("info", "--json", out)).blocks, 2)
      yield* succeed("restore", out, "--block", `pc.ram=${at("a")}`, "--block", `/rom@etc/acpi/tables=${at("b")}`)
      assert.isTrue(read("a").equals(other))
      assert.isTrue(read("b").equals(pages(2, 7)))
    })
  )

  it.effect("save --device-state: what is noted of the image is noted of the new one", () =>
    Effect.gen(function* () {
      const { at, image } = yield* savedImage
      const uuid = "2b6f0cc9-04d1-4b5c-9e0c-0123456789ab"
      const rom = { idstr: "/rom@etc/acpi/tables", pages: 1 }
      const noted = Effect.gen(function* () {
        const source = yield* Image.open(image)
        const notes = { uuid, lost: [{ idstr: "pc.ram", pages: 16 }, rom] }
        yield* Migration.make.convert({ source, target: at("noted.img"), notes })
      })
      yield* Effect.scoped(noted)
      const block = `pc.ram=${at("ram")}`
      yield* succeed("save", "--block", block, "--device-state", at("noted.img"), at("out.img"))
      assert.deepStrictEqual(json(yield* succeed("info", "--json", at("out.img"))).notes, { uuid, lost: [rom] })
      const all = ["--block", block, "--block", `${rom.idstr}=${at("dump")},offset=4k`]
      yield* succeed("save", ...all, "--device-state", at("noted.img"), at("all.img"))
      assert.deepStrictEqual(json(yield* succeed("info", "--json", at("all.img"))).notes, { uuid })
    })
  )

  it.effect("save --device-state: a block that the machine will not take is worth a warning", () =>
    Effect.gen(function* () {
      const { at, image } = yield* savedImage
      const args = ["--block", `pc.rom=${at("ram")}`, "--block", `pc.ram=${at("ram")},length=4k`]
      const { code, stderr } = yield* Command.run("save", ...args, "--device-state", image, at("out.img"))
      assert.strictEqual(code, 0, stderr)
      const [first, second] = stderr.split("\n")
      assert.match(first!, /^multifd: warning: .* has no block "pc\.rom"/)
      assert.match(second!, /^multifd: warning: block "pc\.ram" is 4096 bytes long/)
    })
  )

  it.effect("a failed save leaves what was there", () =>
    Effect.gen(function* () {
      const { at, image, list } = yield* savedImage
      const [before, content] = [list(), Fs.readFileSync(image)]
      const { code, stderr } = yield* Command.run("save", "--block", `pc.ram=${at("nothing")}`, image)
      assert.strictEqual(code, 6)
      assert.match(stderr, /^multifd: [^\n]*nothing[^\n]*\n$/)
      assert.strictEqual((yield* Command.run("save", "--block", `pc.ram=${at("ram")},length=100`, image)).code, 2)
      assert.deepStrictEqual(list(), before)
      assert.isTrue(Fs.readFileSync(image).equals(content))
    })
  )

  it.effect("verify: nothing, one or many findings, and their exit codes", () =>
    Effect.gen(function* () {
      const { at, image, write } = yield* savedImage
      const sound = Fs.readFileSync(image)
      assert.deepStrictEqual(json(yield* succeed("verify", "--json", image)), {
        version: 1,
        command: "verify",
        path: image,
        ok: true,
        reason: null,
        seal: { algorithm: "crc32", extentSize: 1024 * 1024 },
        notes: {},
        damage: [],
        findings: []
      })
      assert.include(yield* succeed("verify", image), ": OK: every page matches its checksum (CRC-32)\n")

      write("text", Buffer.from("Dear reader, this is no image at all.".repeat(10)))
      write("cut", sound.subarray(0, sound.length - 20_000))
      const damaged = Buffer.from(sound)
      const [main] = json(yield* succeed("info", "--json", image)).blocks
      damaged.writeBigUInt64BE(0n, main.bitmapOffset - 24)
      write("damaged", damaged)
      for (const [name, code] of [
        ["text", 3],
        ["damaged", 4],
        ["cut", 5]
      ] as const) {
        const ran = yield* Command.run("verify", at(name))
        assert.strictEqual(ran.code, code, ran.stderr)
        assert.strictEqual(ran.stderr, "")
        assert.match(ran.stdout, /^error [a-z-]+: /)
        assert.lengthOf(new Set(ran.stdout.trimEnd().split("\n")), ran.stdout.trimEnd().split("\n").length)
        const { findings, ok, reason } = json((yield* Command.run("verify", "--json", at(name))).stdout)
        assert.isFalse(ok)
        assert.include(reason.message, findings[0].message)
        assert.include(findings[0], { severity: "error" })
        const keys = ["code", "severity", "category", "offset", "expected", "found", "message"]
        assert.hasAllKeys(findings[0], name === "damaged" ? [...keys, "block"] : keys)
        if (name === "damaged") assert.strictEqual(findings[0].block, "pc.ram")
        assert.strictEqual((yield* Command.run("info", at(name))).code, code)
        assert.strictEqual((yield* Command.run("restore", at(name), "--block", `pc.ram=${at("new")}`)).code, code)
      }
      assert.isFalse(Fs.existsSync(at("new")))
    })
  )

  it.effect("verify and info say how much of an image is missing", () =>
    Effect.gen(function* () {
      const { at, image, write } = yield* savedImage
      const sound = Fs.readFileSync(image)
      const plain = at("plain.img")
      yield* succeed("convert", "--seal", "none", image, plain)
      const [main] = json(yield* succeed("info", "--json", image)).blocks
      const unsealed = Fs.readFileSync(plain).subarray(0, main.pagesOffset + 38 * 4096)
      for (const [bytes, missing] of [
        [sound.subarray(0, sound.length - 1), "1 bytes are missing"],
        [sound.subarray(0, sound.length - 20_000), "20000 bytes are missing"],
        [sound.subarray(0, main.pagesOffset + 5), `${sound.length - main.pagesOffset - 5} bytes are missing`],
        [unsealed, "at least 8193 bytes are missing"],
        [sound.subarray(0, 100), /at least \d+ bytes are missing/]
      ] as const) {
        write("cut", bytes)
        const { code, stdout } = yield* Command.run("verify", at("cut"))
        assert.strictEqual(code, 5)
        const words = new RegExp(missing)
        assert.match(stdout.split("\n")[0]!, words)
        assert.match((yield* Command.run("info", at("cut"))).stderr, words)
      }
    })
  )

  it.effect("verify without the right key says so, and how to name one", () =>
    Effect.gen(function* () {
      const { at, image, write } = yield* savedImage
      write("key", Buffer.alloc(32, 1))
      write("other", Buffer.alloc(32, 2))
      yield* succeed("seal", image, "--key-file", at("key"))
      for (const [problem, args] of [
        ["missing", []],
        ["wrong", ["--key-file", at("other")]]
      ] as const) {
        const { code, stderr, stdout } = yield* Command.run("verify", image, ...args)
        assert.deepStrictEqual([code, stderr], [4, ""])
        assert.match(stdout, /^error: [^\n]*(--key-file|give the key that the image was sealed with)[^\n]*\n$/)
        const { findings, ok, reason } = json((yield* Command.run("verify", "--json", image, ...args)).stdout)
        assert.deepInclude({ findings, ok }, { findings: [], ok: false })
        assert.include(reason, { error: "SealKeyError", problem })
      }
    })
  )

  it.effect("seal: checksums for an image that has none, a key, and how not to verify", () =>
    Effect.gen(function* () {
      const { at, image, ram, read, write } = yield* savedImage
      yield* succeed("convert", "--seal", "none", image, at("plain.img"))
      assert.include(yield* succeed("verify", at("plain.img")), "without checksums, its pages cannot be checked")
      yield* succeed("seal", at("plain.img"), "--seal", "sha256")
      assert.include(yield* succeed("verify", at("plain.img")), "(SHA-256)")
      assert.include(yield* succeed("info", at("plain.img")), "SHA-256, one for each 1.00 MiB")

      write("key", Buffer.alloc(32, 1))
      yield* succeed("seal", at("plain.img"), "--key-file", at("key"))
      assert.strictEqual((yield* Command.run("verify", at("plain.img"))).code, 4)
      yield* succeed("verify", at("plain.img"), "--key-file", at("key"))
      yield* succeed("convert", at("plain.img"), at("again.img"), "--source-key-file", at("key"))
      yield* succeed("verify", at("again.img"))
      assert.strictEqual((yield* Command.run("seal", image, "--seal", "none")).code, 2)

      const [main] = json(yield* succeed("info", "--json", image)).blocks
      const damaged = Fs.readFileSync(image)
      damaged[main.pagesOffset + 5]! ^= 1
      write("damaged.img", damaged)
      const verified = yield* Command.run("verify", at("damaged.img"))
      assert.strictEqual(verified.code, 4)
      assert.match(verified.stdout, /^error pages-checksum-wrong: pages 0 to \d+ of "pc.ram"/)
      const restored = ["restore", at("damaged.img"), "--block", `pc.ram=${at("out")}`]
      assert.strictEqual((yield* Command.run(...restored)).code, 4)
      assert.isFalse(Fs.existsSync(at("out")))
      yield* succeed(...restored, "--no-verify")
      assert.strictEqual(read("out").length, ram.length)
    })
  )

  it.effect("keep-partial and recover: what a failed save has written, and what of a damaged image is intact", () =>
    Effect.gen(function* () {
      const { at, image, list, ram, read, write } = yield* savedImage
      const before = list()
      const block = `pc.ram=${at("ram")}`
      assert.strictEqual(
        (yield* Command.run("save", "--block", block, at("x"), "--keep-partial", "--seal", "none")).code,
        2
      )
      const refused = yield* Command.run("save", "--block", `pc.ram=${at("nothing")}`, at("x"), "--keep-partial")
      assert.strictEqual(refused.code, 6)
      assert.deepStrictEqual(list(), before)

      const noRename = FaultyFiles.make(
        ({ name }) => (name === "rename" ? FaultyFiles.Fault.Fail({ code: "ENOSPC" }) : undefined),
        FileCalls.node
      )
      const failed = yield* Effect.provide(
        Command.run("save", "--block", block, at("x"), "--keep-partial"),
        noRename.layer
      )
      assert.strictEqual(failed.code, 7)
      const partial = list().find((name) => name.endsWith(".part"))
      assert.include(failed.stderr, `what was saved so far is kept in ${at(partial!)}`)
      assert.match(yield* succeed("recover", at(partial!), at("new.img")), /^\d+ pages recovered\n$/)
      assert.deepStrictEqual(json(yield* succeed("info", "--json", at("new.img"))).notes, {})
      yield* succeed("restore", at("new.img"), "--block", `pc.ram=${at("out")}`)
      assert.isTrue(read("out").equals(ram))

      const [main] = json(yield* succeed("info", "--json", image)).blocks
      const damaged = Fs.readFileSync(image)
      damaged[main.pagesOffset + 5]! ^= 1
      write("damaged.img", damaged)
      const recovered = yield* Command.run("recover", at("damaged.img"), at("new.img"))
      assert.deepStrictEqual([recovered.code, recovered.stderr], [12, ""])
      assert.match(recovered.stdout, /\nlost pages 0 to 39 of "pc.ram"/)
      const again = yield* Command.run("recover", "--json", at("damaged.img"), at("new.img"))
      assert.strictEqual(again.code, 12)
      const { lost, machineState, neverSaved, summary } = json(again.stdout)
      assert.deepInclude(lost[0], { block: "pc.ram", firstPage: 0, pages: 40 })
      assert.isTrue(machineState)
      assert.deepStrictEqual(neverSaved, [])
      assert.include(summary, { normalPages: 1, zeroPages: 1, pages: 2 })

      const notes = { lost: [{ idstr: "pc.ram", pages: 40 }] }
      assert.include(yield* succeed("info", at("new.img")), "40 pages of pc.ram")
      const verified = yield* Command.run("verify", at("new.img"))
      assert.deepStrictEqual([verified.code, verified.stderr], [12, ""])
      assert.match(
        verified.stdout,
        /^error: [^\n]*40 pages of "pc.ram" were lost[^\n]*\n[^\n]*every page matches its checksum/
      )
      const report = json((yield* Command.run("verify", "--json", at("new.img"))).stdout)
      assert.deepInclude(report, { ok: false, notes, findings: [], damage: [] })
      assert.strictEqual(report.reason.error, "LostPagesError")
      yield* succeed("convert", at("new.img"), at("same.img"))
      assert.strictEqual((yield* Command.run("verify", at("same.img"))).code, 12)
      assert.strictEqual((yield* Command.run("convert", "--seal", "none", at("new.img"), at("plain2.img"))).code, 2)
      assert.strictEqual((yield* Command.run("recover", at("new.img"), at("twice.img"))).code, 0)
      assert.deepStrictEqual(json(yield* succeed("info", "--json", at("twice.img"))).notes, notes)
      yield* succeed("convert", "--seal", "none", image, at("plain.img"))
      assert.strictEqual((yield* Command.run("recover", at("plain.img"), at("other.img"))).code, 2)
    })
  )

  it.effect("a command line that makes no sense is one JSON document, where JSON lines are asked for", () =>
    Effect.gen(function* () {
      for (const asked of [["--progress", "json"], ["--progress=json"]]) {
        const { code, stderr, stdout } = yield* Command.run("save", "--channels", "0", "--wrong", ...asked, "out.img")
        assert.deepStrictEqual({ code, stdout }, { code: 2, stdout: "" })
        const [document, ...rest] = stderr.trimEnd().split("\n")
        assert.include(json(document!), { event: "failed", error: "UsageError", exitCode: 2 })
        assert.deepStrictEqual(rest, [])
      }
      assert.match((yield* Command.run("save", "--progress")).stderr, /^multifd save: /)
    })
  )

  it.effect("progress: a line on a terminal, JSON lines on demand, nothing with --quiet", () =>
    Effect.gen(function* () {
      const { at, image } = yield* savedImage
      const args = ["convert", image, at("out.img")]
      const drawn = yield* Command.runWith({ isTerminal: true }, ...args)
      assert.match(drawn.stderr, /out\.img: 168 KiB \(42 pages, 14 zero\) in 0\.00 s, \d+ KiB on disk\n$/)
      assert.strictEqual((yield* Command.runWith({ isTerminal: true }, ...args, "--quiet")).stderr, "")
      const { stderr } = yield* Command.run(...args, "--progress", "json")
      const events = stderr.trimEnd().split("\n").map(json)
      assert.include(events.at(-1), { event: "completed", pages: 42, zeroPages: 14 })
      const failed = yield* Command.run("convert", at("nothing"), at("out.img"), "--progress", "json")
      assert.include(json(failed.stderr.trimEnd().split("\n").at(-1)!), { event: "failed", exitCode: 6 })
      assert.strictEqual(failed.code, 6)
    })
  )

  it.effect("usage errors: exit code 2, a line each on stderr, nothing on stdout", () =>
    Effect.gen(function* () {
      const cases: ReadonlyArray<ReadonlyArray<string>> = [
        [],
        ["sav"],
        ["save"],
        ["save", "out"],
        ["save", "--block", "pc.ram", "out"],
        ["save", "--block", "pc.ram=x,offset=z", "out"],
        ["save", "--block", "pc.ram=x", "--channels", "0", "out"],
        ["save", "--block", "pc.ram=x", "--channels", "256", "out"],
        ["save", "--block", "pc.ram=x", "--channels", "many", "out"],
        ["save", "--block", "pc.ram=x", "--progress", "loud", "out"],
        ["restore", "in"],
        ["restore", "--block", "pc.ram=x"],
        ["convert", "in"],
        ["convert", "in", "out", "more"],
        ["info"],
        ["info", "--no-such-flag", "in"],
        ["info", "file:in,offset=12Q"],
        ["info", "tcp:host:1"],
        ["verify", ""],
        ["completions", "tcsh"]
      ]
      for (const args of cases) {
        const { code, stderr, stdout } = yield* Command.run(...args)
        assert.strictEqual(code, 2, `${args.join(" ")}: ${stderr}`)
        assert.match(
          stderr,
          /^(?:multifd[a-z ]*: [^\n]+\n)+(?:Did you mean [^\n]+\?\n)?Try "multifd[a-z ]* --help"\.\n$/,
          args.join(" ")
        )
        assert.strictEqual(stdout, "", args.join(" "))
      }
    })
  )

  it.effect("help, version and completions go to stdout", () =>
    Effect.gen(function* () {
      assert.strictEqual(yield* succeed("--version"), "multifd 1.2.3\n")
      const help = yield* succeed("--help")
      for (const name of ["save", "restore", "convert", "receive", "send", "capture", "resume", "info", "verify"]) {
        assert.include(help, name)
        const text = yield* succeed(name, "--help")
        assert.include(text, `multifd ${name}`)
      }
      const fileNames = { bash: "--paths -f", zsh: ":_files", fish: " -r -F " }
      for (const [shell, completesFiles] of Object.entries(fileNames)) {
        const script = yield* succeed("completions", shell)
        for (const word of ["multifd", "restore", "device-state", "direct-io", "tls-dir", "zstd"])
          assert.include(script, word)
        assert.include(script, completesFiles)
      }
    })
  )
})
