import { assert, describe, it } from "@effect/vitest"
import { Buffer } from "node:buffer"
import * as Fs from "node:fs"
import * as Path from "node:path"
import * as ScanBuffer from "../../../src/lanes/internal/scanBuffer.ts"
import { zeroScan } from "../../../src/lanes/internal/zeroScan.ts"
import * as PageRuns from "../../../src/ram/PageRuns.ts"
import * as ZeroPages from "../../../src/ram/ZeroPages.ts"

const source = Path.resolve(import.meta.dirname, "../../../src/lanes/internal/zeroScan.wat")

describe("scanBuffer", () => {
  it("the bytes are those of the source, assembled", async () => {
    const { default: wabt } = await import("wabt")
    const module = (await wabt()).parseWat("zeroScan.wat", Fs.readFileSync(source, "utf8"), { simd: true })
    assert.deepStrictEqual(Buffer.from(module.toBinary({}).buffer), Buffer.from(zeroScan))
  })

  it("this engine has the instructions", () => {
    assert.notStrictEqual(ScanBuffer.make().constructor, ScanBuffer.plain().constructor)
  })

  for (const [name, make] of [
    ["simd", ScanBuffer.simd],
    ["plain", ScanBuffer.plain]
  ] as const)
    for (const pageSize of [1024, 4096, 65_536]) {
      it(`${name}, pages of ${pageSize}: one byte anywhere makes a page normal`, () => {
        const buffer = make()
        const count = 7
        for (const at of [0, 1, 63, 64, pageSize - 1, pageSize / 2 + 17]) {
          for (let page = 0; page < count; page++) {
            const data = buffer.bytes(count * pageSize).fill(0)
            data[page * pageSize + at] = 1
            assert.deepStrictEqual(buffer.normal(pageSize, [0, count]), [page, 1], `byte ${at} of page ${page}`)
          }
        }
      })

      it(`${name}, pages of ${pageSize}: only the pages that are asked for`, () => {
        const buffer = make()
        const data = buffer.bytes(12 * pageSize).fill(0)
        for (const page of [0, 1, 4, 6, 7, 8, 11]) data[page * pageSize + 9] = page + 1
        const all = PageRuns.all(12)
        assert.deepStrictEqual(buffer.normal(pageSize, all), ZeroPages.split(data, pageSize, all).normal)
        assert.deepStrictEqual(buffer.normal(pageSize, [1, 2, 5, 3]), [1, 1, 6, 2])
        assert.deepStrictEqual(buffer.normal(pageSize, []), [])
      })
    }

  it("memory that has grown keeps nothing, and the answer lies behind the pages", () => {
    const buffer = ScanBuffer.make()
    for (const length of [1024, 1024 * 1024, 4096, 3 * 1024 * 1024]) {
      const data = buffer.bytes(length).fill(1)
      assert.strictEqual(data.length, length)
      assert.deepStrictEqual(buffer.normal(1024, [0, length / 1024]), [0, length / 1024])
      assert.isTrue(data.every((byte) => byte === 1))
    }
  })
})
