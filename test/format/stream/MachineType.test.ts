import { assert, describe, it } from "@effect/vitest"
import { isAtMost, versionOf } from "../../../src/format/stream/MachineType.ts"

describe("MachineType", () => {
  const cases: ReadonlyArray<readonly [machine: string | undefined, version: string | undefined]> = [
    ["pc-i440fx-8.0", "8.0"],
    ["pc-q35-8.1", "8.1"],
    ["virt-8.2", "8.2"],
    ["pc-i440fx-2.12", "2.12"],
    ["pc-q35-2.0.1", "2.0"],
    ["pc-1.3", "1.3"],
    ["s390-ccw-virtio-9.0", "9.0"],
    ["pseries-10.0", "10.0"],
    ["pseries-2.12-sxxm", "2.12"],
    ["pc-i440fx-7.10", "7.10"],
    ["pc-q35-11.1", "11.1"],
    ["pc-i440fx-xenial", "2.5"],
    ["pc-i440fx-focal", "4.2"],
    ["pc-i440fx-jammy", "6.2"],
    ["pc-q35-jammy-hpb", "6.2"],
    ["pc-q35-mantic-hpb-maxcpus", "8.0"],
    ["pc-q35-lunar", "7.2"],
    ["pc-i440fx-noble-v2", "8.2"],
    ["virt-oracular", "9.0"],
    ["s390-ccw-virtio-plucky", "9.2"],
    ["pseries-bionic-sxxm", "2.11"],
    ["pc-q35-questing", "10.1"],
    ["pc-i440fx-rhel7.6.0", "2.12"],
    ["pc-i440fx-rhel7.5.0", "2.0"],
    ["rhel6.6.0", "2.0"],
    ["pc-q35-rhel8.6.0", "6.2"],
    ["pc-q35-rhel9.0.0", "6.2"],
    ["pc-q35-rhel9.2.0", "7.2"],
    ["virt-rhel9.4.0", "8.2"],
    ["s390-ccw-virtio-rhel9.6.0", "9.1"],
    ["pc-q35-rhel10.0.0", "9.1"],
    ["pc-q35-rhel99.0.0", undefined],
    ["pc-i440fx-zz", undefined],
    ["pc-i440fx-constructor", undefined],
    ["something-jammy", undefined],
    ["microvm", undefined],
    ["none", undefined],
    ["", undefined],
    [undefined, undefined]
  ]
  for (const [machine, expected] of cases) {
    it(`${machine} is of ${expected ?? "a QEMU that its name does not say"}`, () => {
      const version = versionOf(machine)
      assert.strictEqual(version && `${version.major}.${version.minor}`, expected)
    })
  }

  it("is at most a version that is the same or newer", () => {
    const all = ["pc-q35-7.2", "pc-i440fx-jammy", "pc-i440fx-8.0", "pc-q35-8.1", "pc-q35-rhel9.4.0", "pc-q35-10.0"]
    const atMost = (major: number, minor: number) => all.filter((machine) => isAtMost(machine, major, minor))
    assert.deepStrictEqual(atMost(8, 0), all.slice(0, 3))
    assert.deepStrictEqual(atMost(8, 2), all.slice(0, 5))
    assert.deepStrictEqual(atMost(11, 0), all)
    assert.deepStrictEqual(
      ["microvm", "none", undefined].filter((machine) => isAtMost(machine, 99, 9)),
      []
    )
  })
})
