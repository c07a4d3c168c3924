/** The program in terminals of several sizes, and kinds. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fs from "node:fs"
import { folder, pages } from "../support/cli/files.ts"
import * as Terminal from "../support/cli/terminal.ts"

const CTRL_C = "\u0003"

/** Far more than can be scanned in a test, and nothing of it on the disk. */
const ENDLESS = 2 ** 40

const saving = Effect.gen(function* () {
  const files = yield* folder
  const ram = files.write("ram", new Uint8Array())
  Fs.truncateSync(ram, ENDLESS)
  return { files, args: ["save", "--block", `pc.ram=${ram}`, files.at("vm.img")] }
})

const isMoving = (line: string): boolean => line.startsWith("RAM 0%  ") && line.includes("ETA")

/** Presses Ctrl-C when something has been drawn `times` times with everything that there is room for. */
const interruptAfter = (times: number) => {
  let isPressed = false
  return (text: string, terminal: Terminal.Terminal): void => {
    if (isPressed || Terminal.drawn(text).filter((line) => line.startsWith("RAM 0%")).length < times) return
    isPressed = true
    terminal.press(CTRL_C)
  }
}

describe.skipIf(!Terminal.isThere)("in a terminal (skipped without script and stty)", { timeout: 60_000 }, () => {
  const widths = [
    { columns: 50, shown: /^RAM 0%  \S+ [KMG]iB of 1\.00 TiB  \S+ [KMG]iB\/s$/ },
    { columns: 80, shown: /^RAM 0%  \S+ [KMG]iB of 1\.00 TiB  \S+ [KMG]iB\/s  ETA [^,]+(?:  \d+ pages, \d+ zero)?$/ },
    { columns: 100, shown: /^RAM 0%  \S+ [KMG]iB of 1\.00 TiB  \S+ [KMG]iB\/s  ETA .+  \d+ pages, \d+ zero$/ }
  ] as const
  for (const { columns, shown } of widths) {
    it.live(`${columns} columns: the line fits, and after Ctrl-C one line says what is left`, () =>
      Effect.gen(function* () {
        const { args, files } = yield* saving
        const { code, text } = yield* Terminal.run({ columns }, args, interruptAfter(5))
        const lines = Terminal.drawn(text)
        for (const line of lines) assert.isAtMost(line.length, columns)
        assert.match(
          lines.findLast((line) => line.startsWith("RAM"))!,
          shown
        )
        const [last, ...others] = text.split("\r\n").slice(-2).toReversed()
        assert.strictEqual(last, "")
        assert.strictEqual(others[0]!.split("\r\u001b[K").at(-1), "multifd: interrupted: nothing was written")
        assert.strictEqual(text.split("\r\n").length, 2)
        assert.strictEqual(code, 130)
        assert.deepStrictEqual(files.list(), ["ram"])
      })
    )
  }

  it.live("the line follows a terminal that changes its size", () =>
    Effect.gen(function* () {
      const { args } = yield* saving
      let stage: "wide" | "narrow" | "over" = "wide"
      const { text } = yield* Terminal.run({ columns: 100 }, args, (text, terminal) => {
        const last = Terminal.drawn(text).at(-1) ?? ""
        if (stage === "wide" && isMoving(last)) {
          terminal.resize(20)
          stage = "narrow"
        } else if (stage === "narrow" && last === "RAM 0%") {
          stage = "over"
          terminal.press(CTRL_C)
        }
      })
      assert.strictEqual(stage, "over")
      assert.isTrue(Terminal.drawn(text).some((line) => line.length > 50))
    })
  )

  it.live("a dumb terminal gets lines only: the last one names file, size on disk and time", () =>
    Effect.gen(function* () {
      const files = yield* folder
      files.write("ram", pages(300))
      const args = ["save", "--block", `pc.ram=${files.at("ram")}`, files.at("vm.img")]
      for (const more of [[], ["--progress", "line"]]) {
        const { code, text } = yield* Terminal.run({ columns: 100, term: "dumb" }, [...args, ...more])
        assert.strictEqual(code, 0)
        assert.match(
          text,
          /^[^\r\n]*\/vm\.img: 1\.17 MiB \(300 pages, 100 zero\) in 0\.\d\d s, [^\r\n]+\/s, [^\r\n]+ on disk\r\n$/
        )
      }
    })
  )
})
