/** `--json`: one document on stdout, whatever comes of the command. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Fs from "node:fs"
import { asksForJson } from "../../src/cli/internal/answer.ts"
import { commands } from "../../src/cli/internal/commands.ts"
import * as Command from "../support/cli/command.ts"
import { problemsOf } from "../support/cli/documents.ts"
import { folder, pages } from "../support/cli/files.ts"

/** The document that a command has printed, after it was held against the schema. */
const documentOf = ({ stderr, stdout }: Command.Ran) => {
  const document = JSON.parse(stdout)
  assert.deepStrictEqual(problemsOf(document), [], `${stdout}${stderr}`)
  assert.strictEqual(document.version, 1)
  return document
}

const ran = Effect.fnUntraced(function* (...args: ReadonlyArray<string>) {
  const result = yield* Command.run(...args, "--json")
  return { ...result, document: documentOf(result) }
})

const prepared = Effect.gen(function* () {
  const files = yield* folder
  const { at } = files
  files.write("ram", pages(40))
  yield* Command.run("save", "--block", `pc.ram=${at("ram")}`, at("vm.img"))
  const damaged = Fs.readFileSync(at("vm.img"))
  const { blocks } = (yield* ran("info", at("vm.img"))).document
  damaged[blocks[0].pagesOffset + 5]! ^= 1
  files.write("damaged.img", damaged)
  return files
})

/** Of every command, a command line that works and one that fails. Those of QEMU's monitor are run in `test/interop`. */
const examples: Readonly<Record<string, (at: (name: string) => string) => readonly [string, string]>> = {
  save: (at) => [
    `save --block pc.ram=${at("ram")} ${at("new.img")}`,
    `save --block pc.ram=${at("no")} ${at("new.img")}`
  ],
  restore: (at) => [
    `restore ${at("vm.img")} --block pc.ram=${at("new")}`,
    `restore ${at("vm.img")} --block x=${at("new")}`
  ],
  convert: (at) => [`convert ${at("vm.img")} ${at("new.img")}`, `convert ${at("ram")} ${at("new.img")}`],
  info: (at) => [`info ${at("vm.img")}`, `info ${at("no")}`],
  verify: (at) => [`verify ${at("vm.img")}`, `verify ${at("damaged.img")}`],
  recover: (at) => [`recover ${at("vm.img")} ${at("new.img")}`, `recover ${at("damaged.img")} ${at("new.img")}`],
  seal: (at) => [`seal ${at("vm.img")}`, `seal ${at("ram")}`],
  send: (at) => ["", `send ${at("vm.img")} --to unix:${at("nobody")}`],
  receive: (at) => ["", `receive --listen unix:${at("no/socket")} ${at("new.img")}`],
  capture: (at) => ["", `capture --qmp ${at("nobody")} ${at("new.img")}`],
  search: (at) => [`search ${at("vm.img")} x`, `search ${at("no")} x`],
  dump: (at) => [`dump ${at("vm.img")} pc.ram`, `dump ${at("vm.img")} x`],
  diff: (at) => [`diff ${at("vm.img")} ${at("vm.img")}`, `diff ${at("vm.img")} ${at("no")}`],
  help: () => ["help verify", "help verfy"],
  completions: () => ["completions zsh", "completions tcsh"],
  resume: (at) => ["", `resume --qmp ${at("nobody")} ${at("vm.img")}`]
}

describe("--json", () => {
  for (const { name } of commands) {
    it.effect(`${name}: a result and a failure are documents of the schema`, () =>
      Effect.gen(function* () {
        const { at } = yield* prepared
        assert.isDefined(examples[name], `an example of ${name} is missing here`)
        const [good, bad] = examples[name]!(at)
        if (good !== "") {
          const { code, document, stderr } = yield* ran(...good.split(" "))
          assert.deepStrictEqual({ code, stderr }, { code: 0, stderr: "" })
          assert.strictEqual(document.command, name)
          assert.notProperty(document, "error")
        }
        const failed = yield* ran(...bad.split(" "))
        assert.notStrictEqual(failed.code, 0)
        assert.strictEqual(failed.document.command, name)
        assert.strictEqual(failed.document.error.exitCode, failed.code)
      })
    )
  }

  it.live("send and receive: each side has its document", () =>
    Effect.gen(function* () {
      const { at } = yield* prepared
      const uri = `unix:${at("socket")}`
      const receiving = yield* Effect.forkChild(ran("receive", "--listen", uri, at("new.img")))
      while (!Fs.existsSync(at("socket"))) yield* Effect.sleep("10 millis")
      const sent = yield* ran("send", at("vm.img"), "--to", uri)
      const received = yield* Fiber.join(receiving)
      assert.include(sent.document, { command: "send", pages: 40 })
      assert.include(received.document, { command: "receive", path: at("new.img"), pages: 40 })
      assert.deepStrictEqual([sent.code, received.code], [0, 0])
    })
  )

  it.effect("a failure has the fields of its class; stderr has it for people", () =>
    Effect.gen(function* () {
      const { at } = yield* prepared
      const { code, document, stderr } = yield* ran("info", at("no"))
      const message = `${at("no")}: open: no such file or directory (ENOENT)`
      assert.strictEqual(code, 6)
      assert.deepStrictEqual(document, {
        version: 1,
        command: "info",
        error: { operation: "open", path: at("no"), code: "ENOENT", tag: "FileNotFoundError", message, exitCode: 6 }
      })
      assert.strictEqual(stderr, `multifd: ${message}\n`)
    })
  )

  it.effect("a result that amounts to a failure has both", () =>
    Effect.gen(function* () {
      const { at } = yield* prepared
      const { document } = yield* ran("verify", at("damaged.img"))
      assert.include(document, { ok: false, path: at("damaged.img") })
      assert.include(document.error, { tag: "IntegrityError", exitCode: 4 })
      assert.lengthOf(document.damage, 1)
      const recovered = yield* ran("recover", at("damaged.img"), at("new.img"))
      assert.include(recovered.document, { partial: false, machineState: true })
      assert.deepStrictEqual(recovered.document.error, {
        tag: "IncompleteRecovery",
        message: "recovered without 40 pages",
        exitCode: 12
      })
    })
  )

  it.effect("a command line that makes no sense, wherever the flag stands", () =>
    Effect.gen(function* () {
      const usage = Effect.fnUntraced(function* (...args: ReadonlyArray<string>) {
        const result = yield* Command.run(...args)
        const { command, error } = documentOf(result)
        assert.include(error, { tag: "UsageError", exitCode: 2 })
        assert.strictEqual(result.code, 2)
        assert.match(result.stderr, /\nTry "multifd.* --help"\.\n$/)
        return { command, problems: error.problems }
      })
      assert.deepStrictEqual(yield* usage("--json"), { command: null, problems: ["there is no command; name one"] })
      assert.deepStrictEqual((yield* usage("inf", "--json=true")).command, null)
      assert.deepStrictEqual(yield* usage("--json", "save", "--unheard-of"), {
        command: "save",
        problems: ["there is no --unheard-of"]
      })
      assert.deepStrictEqual((yield* usage("seal", "--seal", "none", "--json", "vm.img")).command, "seal")
      assert.isFalse(asksForJson(["info", "--json=false"]))
      assert.isFalse(asksForJson(["info", "--", "--json"]))
    })
  )

  it("the schema knows the fields of every class of error", () => {
    const error = { tag: "FileNotFoundError", message: "no such file", exitCode: 6 }
    const envelope = { version: 1, command: "info" }
    const fields = { operation: "open", path: "/vm.img", code: "ENOENT" }
    assert.deepStrictEqual(problemsOf({ ...envelope, error: { ...error, ...fields } }), [])
    assert.isNotEmpty(problemsOf({ ...envelope, error }))
    assert.isNotEmpty(problemsOf({ ...envelope, error: { ...error, ...fields, path: 1 } }))
    assert.isNotEmpty(problemsOf({ ...envelope, path: "/vm.img" }))
  })

  it.effect("version and help", () =>
    Effect.gen(function* () {
      const version = { version: 1, command: "version", multifd: "1.2.3", node: process.versions.node }
      assert.deepStrictEqual((yield* ran("--version")).document, version)
      const { document } = yield* ran("info", "--help")
      assert.include(document, { command: "help", topic: "info" })
      assert.include(document.text, "multifd info")
    })
  )
})
