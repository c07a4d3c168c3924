/**
 * The programs in `examples/` do what they say, with the package as its users get it.
 */
import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import * as Fs from "node:fs/promises"
import * as Path from "node:path"
import * as Consumer from "./support/consumer.ts"
import { root, run } from "./support/run.ts"
import * as Temporary from "./support/temporary.ts"

/** What each program prints when all is well. */
const expected: Readonly<Record<string, RegExp>> = {
  "demo.ts": /every byte is the same[^]*QEMU/,
  "device-sections.ts": /cpu 0, version 1: \{"pc":65520,"sp":32768\}/,
  "fault-injection.ts": /[1-9]\d* backups failed, none did harm/,
  "live-save.ts": /the snapshot is of tick [1-9]\d*, to the last page\nthe machine went on/,
  "network-faults.ts": /36 moves in \d+ virtual minutes: [1-9]\d* failed, none did harm/,
  "read-pages.ts": /page 1280 begins with somebody was here/,
  "send-receive.ts": /every byte is the same/,
  "wasm-memory.ts": /counts on: 1000, 1001/
}

describe("examples", { timeout: 120_000 }, () => {
  let temporary = ""
  let consumer: Consumer.Consumer
  /** For the temporary files of the examples: nobody else puts any there. */
  let scratch = ""

  beforeAll(async () => {
    temporary = await Temporary.make()
    consumer = await Consumer.make(temporary)
    scratch = Path.join(temporary, "scratch")
    await Fs.mkdir(scratch)
    await Fs.cp(Path.join(root, "examples"), Path.join(consumer.folder, "examples"), { recursive: true })
  }, 120_000)
  afterAll(() => Temporary.remove(temporary))

  it("all of them are run here", async () => {
    const files = await Fs.readdir(Path.join(root, "examples"))
    assert.deepStrictEqual(files.filter((name) => name.endsWith(".ts")).toSorted(), Object.keys(expected))
  })

  for (const [name, output] of Object.entries(expected)) {
    it(name, async () => {
      const program = [process.execPath, Path.join("examples", name)]
      assert.match(await run(consumer.folder, "env", `TMPDIR=${scratch}`, ...program), output)
      assert.deepStrictEqual(await Fs.readdir(scratch), [])
    })
  }
})
