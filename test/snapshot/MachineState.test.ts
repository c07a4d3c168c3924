import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as ByteSource from "../../src/snapshot/ByteSource.ts"
import * as Description from "../../src/format/devices/Description.ts"
import * as MachineState from "../../src/snapshot/MachineState.ts"
import * as Parser from "../../src/format/Parser.ts"

describe("MachineState", () => {
  it("is empty but for a description that says so", () => {
    const { configuration, description, deviceState } = MachineState.empty({})
    assert.deepStrictEqual(configuration, { machine: "none", capabilities: [] })
    assert.strictEqual(deviceState.length, 0)
    assert.isAbove(description.length, 0)
  })

  it("names a page size that is not the usual one", () => {
    assert.strictEqual(MachineState.empty({ pageSize: 16384 }).configuration?.targetPageBits, 14)
    assert.notProperty(MachineState.empty({ pageSize: 4096 }).configuration, "targetPageBits")
  })

  it.effect("describes sections of one's own, so that they can be told apart again", () =>
    Effect.gen(function* () {
      const sections = [
        { name: "cpu", instanceId: 1, version: 3, data: Uint8Array.of(1, 2, 3) },
        { name: "timer", instanceId: 0, version: 1, data: new Uint8Array(0) }
      ]
      const state = yield* MachineState.fromSections({ machine: "m", sections })
      const stream = Buffer.concat([
        yield* ByteSource.read(state.deviceState),
        Uint8Array.of(0, 6, 0, 0, 0, state.description.length),
        yield* ByteSource.read(state.description)
      ])
      const json = yield* ByteSource.read(state.description)
      new DataView(stream.buffer, stream.byteOffset).setUint32(state.deviceState.length + 2, json.length)
      const located = Parser.runSync(Description.locate({ from: 0, to: stream.length }), stream)
      assert(located._tag === "Found")
      assert.isTrue(located.exact)
    })
  )

  it.effect("refuses a section that no stream can carry", () =>
    Effect.gen(function* () {
      const section = { name: "", instanceId: 0, version: 1, data: new Uint8Array(1) }
      const error = yield* Effect.flip(MachineState.fromSections({ sections: [section] }))
      assert.strictEqual(error._tag, "DeviceSectionError")
    })
  )
})
