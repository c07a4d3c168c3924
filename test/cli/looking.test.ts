/** `multifd search`, `dump` and `diff`. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { Screen } from "../../src/cli/internal/screen.ts"
import * as Command from "../support/cli/command.ts"
import { folder, pages } from "../support/cli/files.ts"

const PAGE = 4096

/** Two images, whose memory differs in pages 3, 4 and 9; the first holds a text with control characters around it. */
const images = Effect.gen(function* () {
  const files = yield* folder
  const ram = pages(40)
  ram.write("\x1b[2J\u009bsecret text\x07", 8 * PAGE - 3, "latin1")
  files.write("ram-a", ram)
  for (const page of [3, 4, 9]) ram[page * PAGE + 100]! ^= 0xff
  files.write("ram-b", ram)
  for (const name of ["a", "b"]) {
    const { code, stderr } = yield* Command.run("save", "--block", `pc.ram=${files.at(`ram-${name}`)}`, files.at(name))
    assert.strictEqual(code, 0, stderr)
  }
  return files
})

const ran = Effect.fnUntraced(function* (code: number, ...args: ReadonlyArray<string>) {
  const result = yield* Command.run(...args)
  assert.strictEqual(result.code, code, result.stderr)
  return result.stdout
})

/** Anything but printable ASCII and line ends. */
const unsafe = /[^\n\x20-\x7e]/

describe("search", () => {
  it.effect("prints block and offset, and bytes around a match that do not control the terminal", () =>
    Effect.gen(function* () {
      const { at } = yield* images
      const offset = 8 * PAGE - 3 + 5
      const text = yield* ran(0, "search", at("a"), "secret text", "--context", "16")
      assert.match(text, new RegExp(`^pc\\.ram 0x${offset.toString(16)}\n`))
      assert.include(text, "1b 5b 32 4a 9b")
      assert.match(text, /\n1 match\n$/)
      assert.notMatch(text, unsafe)
      const hex = JSON.parse(yield* ran(0, "search", at("a"), "--hex", "9b:73 65", "--context", "2", "--json"))
      assert.deepStrictEqual(hex.matches, [
        { block: "pc.ram", offset: offset - 1, context: { offset: offset - 3, hex: "324a9b73656372" } }
      ])
      assert.isTrue(hex.complete)
    })
  )

  it.effect("stops at the limit, and finding nothing is a success", () =>
    Effect.gen(function* () {
      const { at } = yield* images
      assert.match(yield* ran(0, "search", at("a"), "--hex", "0101", "--limit", "2"), /\n2 matches, and more: --limit/)
      assert.strictEqual(yield* ran(0, "search", at("a"), "not there"), "no match\n")
    })
  )

  it.effect("a wrong command line is a usage error", () =>
    Effect.gen(function* () {
      const { at } = yield* images
      for (const args of [[], ["x", "--hex", "00"], ["--hex", "7"], ["--hex", "xy"], ["x", "--context", "5000"]]) {
        yield* ran(2, "search", at("a"), ...args)
      }
      yield* ran(2, "search", at("a"), "")
      yield* ran(3, "search", at("ram-a"), "x")
    })
  )
})

describe("dump", () => {
  it.effect("prints rows of hexadecimal digits, the last one shorter", () =>
    Effect.gen(function* () {
      const { at } = yield* images
      const text = yield* ran(0, "dump", at("a"), "pc.ram", "--at", "0x7ffd", "--length", "18")
      const [first, second] = text.split("\n")
      assert.strictEqual(first, "0000007ffd  1b 5b 32 4a 9b 73 65 63  72 65 74 20 74 65 78 74  |.[2J.secret text|")
      assert.match(second!, /^000000800d {2}07 [0-9a-f]{2} +\|\.\.\|$/)
      assert.notMatch(text, unsafe)
      assert.lengthOf((yield* ran(0, "dump", at("a"), "pc.ram")).split("\n"), 17)
      const rows = yield* ran(0, "dump", at("a"), "pc.ram", "--at", "1", "--length", "100000")
      assert.lengthOf(rows.split("\n"), 6251)
    })
  )

  it.effect("raw: the bytes themselves, but not to a terminal", () =>
    Effect.gen(function* () {
      const { at, read } = yield* images
      const raw = ["dump", at("a"), "pc.ram", "--at", "32773", "--length", "7", "--as", "raw"]
      assert.strictEqual(yield* ran(0, ...raw), read("ram-a").toString("latin1", 32773, 32780))
      const terminal = { columns: () => 80, outputColumns: () => 80, isDumb: () => false }
      const { code, stderr, stdout } = yield* Effect.provideService(Command.run(...raw), Screen, terminal)
      assert.deepStrictEqual([code, stdout], [2, ""])
      assert.include(stderr, "redirect the output")
    })
  )

  it.effect("as JSON, in hexadecimal digits", () =>
    Effect.gen(function* () {
      const { at } = yield* images
      const dump = ["dump", at("a"), "pc.ram", "--json"]
      const document = JSON.parse(yield* ran(0, ...dump, "--at", "0x7ffd", "--length", "4"))
      assert.include(document, { block: "pc.ram", offset: 0x7ffd, length: 4, hex: "1b5b324a" })
      yield* ran(2, ...dump, "--as", "raw")
      yield* ran(2, ...dump, "--length", "2M")
    })
  )

  it.effect("a range or a block that is not there prints nothing", () =>
    Effect.gen(function* () {
      const { at } = yield* images
      assert.strictEqual(yield* ran(2, "dump", at("a"), "pc.ram", "--at", "40k", "--length", "1G"), "")
      assert.strictEqual(yield* ran(2, "dump", at("a"), "pc.rom"), "")
      assert.strictEqual(yield* ran(2, "dump", at("a"), "pc.ram", "--at", "x"), "")
    })
  )
})

describe("diff", () => {
  it.effect("lists the pages that differ, and ends with exit code 11", () =>
    Effect.gen(function* () {
      const { at } = yield* images
      const text = yield* ran(11, "diff", at("a"), at("b"), "--pages")
      assert.match(text, /pc\.ram +3 +40 +7\.5 %\n/)
      assert.include(text, "pc.ram 0x3000: 2 pages\npc.ram 0x9000: 1 page\n")
      assert.match(text, /different: 3 pages changed\n$/)
      const document = JSON.parse(yield* ran(11, "diff", at("a"), at("b"), "--json"))
      assert.include(document, { equal: false, changedPages: 3 })
      const runs = [
        { page: 3, count: 2 },
        { page: 9, count: 1 }
      ]
      assert.deepStrictEqual(document.blocks, [{ idstr: "pc.ram", pageSize: PAGE, pages: 40, changedPages: 3, runs }])
      assert.include(document.error, { tag: "MemoryDiffers", exitCode: 11 })
    })
  )

  it.effect("equal memory is exit code 0, and a failure has its own", () =>
    Effect.gen(function* () {
      const { at } = yield* images
      assert.match(yield* ran(0, "diff", at("a"), at("a")), /equal: both have the same memory\n$/)
      assert.strictEqual(yield* ran(3, "diff", at("a"), at("ram-a")), "")
      assert.strictEqual(yield* ran(6, "diff", at("no"), at("a")), "")
    })
  )
})
