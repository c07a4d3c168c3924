import { assert, describe, it } from "@effect/vitest"
import * as Text from "../../../src/cli/internal/text.ts"

describe("text", () => {
  it("bytes in three or four digits", () => {
    const cases: ReadonlyArray<readonly [number, string]> = [
      [0, "0 B"],
      [1023, "1023 B"],
      [1024, "1.00 KiB"],
      [4096, "4.00 KiB"],
      [10 * 1024, "10.0 KiB"],
      [1023 * 1024, "1023 KiB"],
      [2 ** 30, "1.00 GiB"],
      [1.5 * 2 ** 40, "1.50 TiB"],
      [2 ** 53, "8.00 PiB"]
    ]
    for (const [count, text] of cases) assert.strictEqual(Text.bytes(count), text)
  })

  it("times from milliseconds to hours", () => {
    assert.strictEqual(Text.duration(0), "0.00 s")
    assert.strictEqual(Text.duration(1234), "1.23 s")
    assert.strictEqual(Text.duration(9994), "9.99 s")
    assert.strictEqual(Text.duration(10_000), "10.0 s")
    assert.strictEqual(Text.duration(12_340), "12.3 s")
    assert.strictEqual(Text.duration(59_960), "1 min 00 s")
    assert.strictEqual(Text.duration(245_000), "4 min 05 s")
    assert.strictEqual(Text.duration(3_600_000 * 2 + 60_000 * 7), "2 h 07 min")
  })

  it("names from a file cannot steer the terminal", () => {
    assert.strictEqual(Text.printable("a\u001b[2Jb\u009b\u202e"), "a\\u{1b}[2Jb\\u{9b}\\u{202e}")
    assert.strictEqual(Text.printable("/rom@etc/ä"), "/rom@etc/ä")
    assert.strictEqual(Text.oneLine("first\n\n  second\tx "), "first second\\u{9}x")
  })

  it("lines columns up", () => {
    assert.strictEqual(
      Text.table(
        [
          ["name", "size"],
          ["x", "1024"],
          ["longer", "1"]
        ],
        [1]
      ),
      "  name    size\n  x       1024\n  longer     1"
    )
    assert.strictEqual(Text.table([], []), "")
  })
})
