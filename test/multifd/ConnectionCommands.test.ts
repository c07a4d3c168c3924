import { assert, describe, it } from "@effect/vitest"
import { preludeWith } from "../../src/multifd/ConnectionCommands.ts"
import { hex } from "../support/bytes.ts"

const open = "08 0001 0000"
const ping = "08 0002 0004 00000001"
const advise = "08 0003 0010 00000000000000000000000000000000"
const early = "04 00000007 05 6561726c79 00000000 00000001 08 0001 0000 7e 00000007"

const kept = (saved: string, returnPath: boolean): string =>
  Buffer.from(preludeWith(hex(saved), returnPath)).toString("hex")
const digits = (text: string): string => Buffer.from(hex(text)).toString("hex")

describe("dialogue.preludeWith", () => {
  it("asks for an answer in front of everything", () => {
    assert.strictEqual(kept("", true), digits(open))
    assert.strictEqual(kept(early, true), digits(open + early))
    assert.strictEqual(kept("", false), "")
  })

  it("what the saved connection said of itself is left out, the rest kept in its order", () => {
    assert.strictEqual(kept(open + ping + advise + early, true), digits(open + advise + early))
    assert.strictEqual(kept(advise + open + early, false), digits(advise + early))
  })

  it("what looks like a command inside of a device is no command", () => {
    assert.strictEqual(kept(early + open, false), digits(early + open))
  })

  it("a command that is cut short stays what it is", () => {
    assert.strictEqual(kept("08 0001 00", false), "08000100")
    assert.strictEqual(kept("08 0003 0010 0000", false), "08000300100000")
  })
})
