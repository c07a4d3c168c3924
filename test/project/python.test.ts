/**
 * The Python program of the documentation reads the images of this library and of QEMU, and is on its page as it is.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as ChildProcess from "node:child_process"
import * as Crypto from "node:crypto"
import * as Fs from "node:fs"
import * as Path from "node:path"
import { Image } from "../../src/index.ts"
import { read } from "../support/project/markdown.ts"
import { root } from "../support/project/run.ts"
import * as Temporary from "../support/project/temporary.ts"

const program = Path.join(root, "examples/read_image.py")

const python = (...args: ReadonlyArray<string>): Buffer =>
  ChildProcess.execFileSync("python3", [program, ...args], { maxBuffer: 64 << 20 })

const havePython = ChildProcess.spawnSync("python3", ["--version"]).status === 0

describe("docs/guide/python.md", () => {
  it("shows the program as it is in examples/", () => {
    assert.include(read("docs/guide/python.md"), `\`\`\`python\n${Fs.readFileSync(program, "utf8")}\`\`\``)
  })

  it.skipIf(!havePython)("the program reads the blocks of an image, and their pages", async ({ onTestFinished }) => {
    const folder = await Temporary.make()
    onTestFinished(() => Temporary.remove(folder))
    const path = Path.join(folder, "machine.img")
    const ram = new Uint8Array(300 * 4096)
    Crypto.randomFillSync(ram, 7 * 4096, 5 * 4096)
    ram[299 * 4096] = 1
    await Effect.runPromise(Image.save(path, { ram: { "pc.ram": ram, bios: new Uint8Array(4096).fill(9) } }))

    const [first, second] = python(path).toString().trim().split("\n")
    assert.match(first ?? "", /^pc\.ram 1228800 4096 \d+ \d+$/)
    assert.match(second ?? "", /^bios 4096 4096 \d+ \d+$/)
    assert.isTrue(python(path, "pc.ram").equals(ram))
    assert.deepStrictEqual(python(path, "bios"), Buffer.alloc(4096, 9))
  })

  it.skipIf(!havePython)("the program refuses a file that is no image", () => {
    assert.throws(() => python(program), /not a mapped-ram image/)
  })
})
