/**
 * The package as its users get it: packed, installed, type-checked, run.
 */
import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import * as Fs from "node:fs"
import * as Path from "node:path"
import { publint } from "publint"
import { formatMessage } from "publint/utils"
import * as Consumer from "../support/project/consumer.ts"
import { linksOf } from "../support/project/markdown.ts"
import { run, typeCheck } from "../support/project/run.ts"
import * as Temporary from "../support/project/temporary.ts"

const main = `
import * as Effect from "effect/Effect"
import { Image, MemoryPages, Migration } from "effect-multifd"
import { MemoryDisk } from "effect-multifd/testing"

const roundTrip = Effect.gen(function*() {
  const memory = new Uint8Array(1 << 20).fill(7, 4096, 8192)
  const migration = yield* Migration.Migration
  const { normalPages } = yield* migration.save({
    target: "/memory.img",
    blocks: [yield* MemoryPages.make({ idstr: "ram", memory })]
  })
  const image = yield* Image.open("/memory.img")
  const page = yield* image.readPages("ram", 4096, 4096)
  return { normalPages, machine: image.machine, byte: page[0] }
})
const program = roundTrip.pipe(Effect.scoped, Effect.provide(Migration.layer), Effect.provide(MemoryDisk.make().layer))
console.log(JSON.stringify(await Effect.runPromise(program)))
`

describe("package", () => {
  let temporary = ""
  let consumer: Consumer.Consumer

  beforeAll(async () => {
    temporary = await Temporary.make()
    consumer = await Consumer.make(temporary)
  }, 120_000)
  afterAll(() => Temporary.remove(temporary))

  const node = (...args: ReadonlyArray<string>): Promise<string> => run(consumer.folder, process.execPath, ...args)
  const importError = (specifier: string): Promise<string> =>
    node(
      "--eval",
      `import(${JSON.stringify(specifier)}).then(() => console.log("no error"), (e) => console.log(e.code))`
    )

  it("holds the sources, what was built of them, and the papers", () => {
    const expected = [
      "package.json",
      "README.md",
      "LICENSE",
      "docs/reference/errors.md",
      "docs/internals/architecture.svg",
      "dist/index.js",
      "dist/index.d.ts",
      "dist/bin.js",
      "dist/multifd.js",
      "schema/multifd.schema.json"
    ]
    assert.deepStrictEqual(
      expected.filter((name) => !consumer.files.includes(name)),
      []
    )
    const strangers = consumer.files.filter(
      (name) => !/^(?:dist|docs|examples|schema|man)\/|^[^/]+\.(?:md|json)$|^LICENSE$/.test(name)
    )
    assert.deepStrictEqual(strangers, [])
  })

  it("holds every file that its documentation links to", () => {
    const links = consumer.files
      .filter((name) => name.endsWith(".md"))
      .flatMap((name) =>
        linksOf(Fs.readFileSync(Path.join(consumer.installed, name), "utf8")).map((link) => [name, link] as const)
      )
      .filter(([, link]) => !/^(?:[a-z]+:|#)/.test(link))
    assert.isAbove(links.length, 20)
    const dead = links.filter(
      ([name, link]) => !Fs.existsSync(Path.join(consumer.installed, Path.posix.dirname(name), link.replace(/#.*/, "")))
    )
    assert.deepStrictEqual(dead, [])
  })

  it("starts its lanes, from the library and beside the command's bundle", async () => {
    const program = `
      import * as Effect from "effect/Effect"
      import { Lanes } from "effect-multifd/io"
      const there = Effect.flatMap(Lanes.Lanes, (lanes) => lanes.start)
      const beside = (path) => Effect.scoped(Effect.flatMap(Lanes.make({ file: new URL(path) }), ({ start }) => start))
      const bundled = new URL("laneWorker.js", import.meta.resolve("effect-multifd"))
      console.log(JSON.stringify(await Effect.runPromise(Effect.all([there, beside(bundled)]))))`
    Fs.writeFileSync(Path.join(consumer.folder, "lanes.mjs"), program)
    assert.deepStrictEqual(JSON.parse(await node("lanes.mjs")), [true, true])
  })

  it("has the schema of --json as an entry point", async () => {
    const code = `import("effect-multifd/schema", { with: { type: "json" } }).then((s) => console.log(s.default.title))`
    assert.strictEqual((await node("--eval", code)).trim(), "multifd --json")
  })

  it("publint has nothing to say", async () => {
    const { messages, pkg } = await publint({ pkgDir: consumer.installed, pack: false, strict: true })
    assert.deepStrictEqual(
      messages.map((message) => formatMessage(message, pkg!)),
      []
    )
  })

  it("a consumer type-checks and runs", { timeout: 120_000 }, async () => {
    await Temporary.writeFiles(consumer.folder, { "main.ts": main })
    await typeCheck(consumer.folder)
    assert.deepStrictEqual(JSON.parse(await node("main.ts")), { normalPages: 1, machine: "none", byte: 7 })
  })

  it("only the entry points can be imported", async () => {
    const blocked = ["ram/PageRuns", "ram/PageRuns.ts", "dist/ram/PageRuns.js", "bin", "index"]
    for (const path of [
      ...blocked,
      ...consumer.files.filter((name) => name.includes("/internal/") && /\.[jt]s$/.test(name)).slice(0, 2)
    ])
      assert.strictEqual((await importError(`effect-multifd/${path}`)).trim(), "ERR_PACKAGE_PATH_NOT_EXPORTED", path)
    assert.strictEqual((await importError("effect-multifd")).trim(), "no error")
  })

  it("takes 4 MB at most, and refers to no file that it does not hold", () => {
    const sizes = consumer.files.map((name) => Fs.statSync(Path.join(consumer.installed, name)).size)
    const total = sizes.reduce((sum, size) => sum + size, 0)
    assert.isAtMost(total, 4_000_000)
    const mapped = consumer.files.filter(
      (name) =>
        name.endsWith(".js") &&
        Fs.readFileSync(Path.join(consumer.installed, name), "utf8").includes("sourceMappingURL")
    )
    assert.deepStrictEqual(mapped, [])
  })

  it("runs nothing when it is installed, of which npm would warn", () => {
    const { scripts } = JSON.parse(Fs.readFileSync(Path.join(consumer.installed, "package.json"), "utf8"))
    for (const name of ["preinstall", "install", "postinstall", "prepare"]) assert.notProperty(scripts, name)
  })

  it("the command needs no other package", async () => {
    const alone = await Temporary.make()
    try {
      const tarball = Path.join(Path.dirname(consumer.folder), "effect-multifd-0.1.0.tgz")
      await run(alone, "tar", "--extract", "--file", tarball)
      const command = Path.join(alone, "package/dist/bin.js")
      assert.match(await run(alone, process.execPath, command, "--version"), /^multifd \d/)
      await Temporary.writeFiles(alone, { ram: "r".repeat(8192) })
      await run(alone, process.execPath, command, "save", "--block", "pc.ram=ram", "vm.img")
      assert.match(await run(alone, process.execPath, command, "verify", "vm.img"), /: OK: /)
    } finally {
      await Temporary.remove(alone)
    }
  })

  it("the command runs from where it was installed", async () => {
    const { bin, version } = JSON.parse(Fs.readFileSync(Path.join(consumer.installed, "package.json"), "utf8"))
    const command = Path.join(consumer.installed, bin.multifd)
    assert.notStrictEqual(Fs.statSync(command).mode & 0o111, 0)
    assert.include(await run(consumer.folder, command, "--version"), version)
  })
})
