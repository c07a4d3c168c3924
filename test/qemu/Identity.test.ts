import { assert, describe } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Image from "../../src/image/Image.ts"
import * as Capture from "../../src/qemu/Capture.ts"
import * as FakeQemu from "../support/worlds/fakeQemu.ts"
import { test } from "../support/worlds/capture.ts"

const TARGET = "/images/vm.img"
const UUID = "12345678-1234-1234-1234-123456789abc"

describe("the uuid of a machine that is captured", () => {
  for (const channels of [0, 2]) {
    test(`is in the image, ${channels} channels`, () =>
      Effect.gen(function* () {
        const { qmp } = yield* FakeQemu.make((state) => (state.uuid = UUID.toUpperCase()))
        yield* Capture.run({ qmp, target: TARGET, channels })
        assert.strictEqual((yield* Image.open(TARGET)).notes.uuid, UUID)
      }))
  }

  for (const [name, answer] of [
    ["has none", Effect.succeed({ UUID: "00000000-0000-0000-0000-000000000000" })],
    ["does not say", Effect.fail("not here")],
    ["says something else", Effect.succeed({ UUID: "none" })]
  ] as const) {
    test(`is not in the image of a machine that ${name}`, () =>
      Effect.gen(function* () {
        const { qmp } = yield* FakeQemu.make(() => {}, { "query-uuid": () => answer })
        yield* Capture.run({ qmp, target: TARGET })
        assert.isUndefined((yield* Image.open(TARGET)).notes.uuid)
      }))
  }
})
