import { assert, describe, it } from "@effect/vitest"
import * as NodeRs from "@node-rs/crc32"
import * as NodeZlib from "node:zlib"
import { choose, crc32 } from "../../../../src/format/seal/internal/crc32.ts"
import { between } from "../../../support/arbitraries.ts"

const SIZE = 65_536

/** All kinds of memory that pages may lie in. */
const memories = {
  fixed: new ArrayBuffer(SIZE),
  resizable: new ArrayBuffer(SIZE, { maxByteLength: 2 * SIZE }),
  shared: new SharedArrayBuffer(SIZE),
  growable: new SharedArrayBuffer(SIZE, { maxByteLength: 2 * SIZE }),
  "of WebAssembly": new WebAssembly.Memory({ initial: 1 }).buffer
}
for (const memory of Object.values(memories)) {
  const bytes = new Uint8Array(memory)
  for (let at = 0; at < SIZE; at++) bytes[at] = Math.imul(at, 2_654_435_761) >>> 13
}

const place = { offset: between(0, SIZE / 2), length: between(0, SIZE / 2), value: between(0, 0xffff_ffff) }

const asZlib = (bytes: Uint8Array, value?: number): number => NodeZlib.crc32(bytes, value)

describe("crc32", () => {
  for (const [kind, memory] of Object.entries(memories)) {
    it.prop(`is zlib's, also the package's: memory is ${kind}`, place, ({ length, offset, value }) => {
      const bytes = new Uint8Array(memory, offset, length)
      for (const compute of [crc32, NodeRs.crc32]) {
        assert.strictEqual(compute(bytes), asZlib(bytes))
        assert.strictEqual(compute(bytes, value), asZlib(bytes, value))
      }
    })
  }

  it("is the package's, where there is one that is right", () => {
    const names: Array<string> = []
    const load = (name: string) => {
      names.push(name)
      return { crc32: asZlib }
    }
    assert.strictEqual(choose(load), asZlib)
    assert.deepStrictEqual(names, ["@node-rs/crc32"])
  })

  it.each([
    ["is not there", () => assert.fail("cannot find module")],
    ["has something else", () => ({})],
    ["computes another CRC", () => ({ crc32: () => 0xe306_9283 })],
    ["does not go on from a value", () => ({ crc32: (bytes: Uint8Array) => NodeZlib.crc32(bytes) })]
  ])("is Node's, where the package %s", (_, load) => {
    assert.strictEqual(choose(load), NodeZlib.crc32)
  })
})
