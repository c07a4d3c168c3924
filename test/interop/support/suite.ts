/**
 * How a test file declares that it needs a real QEMU.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Qemu from "./Qemu.ts"

/**
 * A group of tests that start guests. Without a QEMU they are skipped, and the reason stands in the report; where a QEMU
 * is mandatory (`REQUIRE_QEMU=1`, or in CI) they fail.
 */
export const describeQemu = (name: string, tests: () => void): void => {
  if (Qemu.installed !== undefined) return void describe(name, tests)
  if (Qemu.isRequired) return void describe(name, () => it("has a QEMU to run with", () => assert.fail(Qemu.missing)))
  // A developer's machine without QEMU still runs everything else; CI sets REQUIRE_QEMU and never comes here.
  describe.skip(`${name} (skipped: ${Qemu.missing})`, tests)
}
