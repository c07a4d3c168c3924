import { assert, describe, it } from "@effect/vitest"
import * as VmError from "../../src/qemu/VmError.ts"

const messageOf = (role: "source" | "destination", description: string): string =>
  new VmError.QemuMigrationError({ peer: "unix:/run/qmp", role, status: "failed", description }).message

describe("QemuMigrationError", () => {
  it("says where more is said of a load: all of it, or the rest", () => {
    for (const words of ["load of migration failed", "load of migration failed: Invalid argument", ""]) {
      assert.match(messageOf("destination", words), /; QEMU's standard error says why$/)
    }
    const long = "load of migration failed: Invalid argument: Unknown section or instance 'timer' 0"
    assert.strictEqual(
      messageOf("destination", long),
      `unix:/run/qmp: QEMU's migration failed: ${long}; QEMU's standard error may say more`
    )
  })

  it("a source has said all", () => {
    assert.strictEqual(messageOf("source", "no space"), "unix:/run/qmp: QEMU's migration failed: no space")
  })
})
