import { assert, describe, it } from "@effect/vitest"
import * as ChildProcess from "node:child_process"
import * as Fs from "node:fs"
import * as Path from "node:path"
import * as AlignedMemory from "../../../src/io/files/AlignedMemory.ts"

describe("AlignedMemory", () => {
  it("is zero, of the length asked for, and known to be aligned", () => {
    for (const length of [0, 1, 4096, 1 << 20]) {
      const bytes = AlignedMemory.make(length)
      assert.strictEqual(bytes.length, length)
      assert.isTrue(bytes.every((byte) => byte === 0))
      assert.isTrue(AlignedMemory.isAligned(bytes))
    }
  })

  for (const length of [undefined, Number.NaN, -4096, 1.5, "4096", 2 ** 60]) {
    it(`refuses a length that is none: ${length}`, () =>
      assert.throws(() => AlignedMemory.make(length as number), RangeError))
  }

  it("does not rely on what is no array", () => {
    for (const value of [undefined, null, new Proxy(AlignedMemory.make(4096), {})]) {
      assert.isFalse(AlignedMemory.isAligned(value as unknown as Uint8Array))
    }
  })

  it("knows what it can rely on", () => {
    const aligned = AlignedMemory.make(16_384)
    const shared = new SharedArrayBuffer(8192, { maxByteLength: 8192 })
    assert.isTrue(AlignedMemory.isAligned(aligned.subarray(4096)))
    assert.isTrue(AlignedMemory.isAligned(new Uint8Array(shared)))
    assert.isFalse(AlignedMemory.isAligned(aligned.subarray(512)))
    assert.isFalse(AlignedMemory.isAligned(new Uint8Array(8192)))
    assert.isFalse(AlignedMemory.isAligned(new Uint8Array(new SharedArrayBuffer(8192))))
  })

  it("huge memory is zero, shared, and refuses what make refuses", () => {
    const bytes = AlignedMemory.makeHuge(1 << 20)
    assert.instanceOf(bytes.buffer, SharedArrayBuffer)
    assert.strictEqual(bytes.length, 1 << 20)
    assert.isTrue(bytes.every((byte) => byte === 0))
    assert.throws(() => AlignedMemory.makeHuge(Number.NaN), RangeError)
    assert.throws(() => AlignedMemory.makeHuge(-1), RangeError)
  })

  const pages = "/sys/kernel/mm/transparent_hugepage/enabled"
  const isPossible = Fs.existsSync(pages) && !Fs.readFileSync(pages, "utf8").includes("[never]")
  const isGlibc = "glibcVersionRuntime" in (process.report.getReport() as { readonly header: object }).header
  it.skipIf(!isPossible || !isGlibc)("huge memory has huge pages with the tunable", () => {
    const module = Path.resolve(import.meta.dirname, "../../../src/io/files/AlignedMemory.ts")
    const program = `
      import * as Fs from "node:fs"
      import { makeHuge } from ${JSON.stringify(module)}
      const huge = () => Number(/AnonHugePages:\\s+(\\d+)/.exec(Fs.readFileSync("/proc/self/smaps_rollup", "utf8"))[1])
      const before = huge()
      const bytes = makeHuge(64 * 2 ** 20).fill(1)
      console.log(huge() - before, bytes.length)`
    const env = { ...process.env, GLIBC_TUNABLES: "glibc.malloc.hugetlb=1" }
    const args = ["--input-type=module", "--eval", program]
    const [kib] = ChildProcess.execFileSync(process.execPath, args, { env, encoding: "utf8" }).split(" ")
    assert.isAbove(Number(kib), 16 * 1024)
  })
})
