import { assert, describe, it } from "@effect/vitest"
import { isAtMost } from "../../src/format/MachineType.ts"

describe("MachineType.isAtMost", () => {
  const cases: ReadonlyArray<readonly [machine: string | undefined, atMost80: boolean, atMost82: boolean]> = [
    ["pc-i440fx-8.0", true, true],
    ["pc-q35-8.1", false, true],
    ["virt-8.2", false, true],
    ["pc-i440fx-2.12", true, true],
    ["pc-q35-2.0.1", true, true],
    ["s390-ccw-virtio-9.0", false, false],
    ["pseries-10.0", false, false],
    ["pc-i440fx-7.10", true, true],
    ["pc-q35-rhel9.2.0", false, false],
    ["pc-i440fx-jammy", false, false],
    ["microvm", false, false],
    ["none", false, false],
    ["", false, false],
    [undefined, false, false]
  ]
  for (const [machine, atMost80, atMost82] of cases) {
    it(String(machine), () => {
      assert.strictEqual(isAtMost(machine, 8, 0), atMost80)
      assert.strictEqual(isAtMost(machine, 8, 2), atMost82)
    })
  }
})
