/**
 * How a test file declares that it needs a real QEMU.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Qemu from "./qemu.ts"

/** Tests that need something: they run where it is there, fail where it must not be missing, and are skipped elsewhere. */
export const describeWhere = (
  name: string,
  needs: { readonly isThere: boolean; readonly isRequired: boolean; readonly missing: string },
  tests: () => void
): void => {
  if (needs.isThere) return void describe(name, tests)
  if (needs.isRequired) return void describe(name, () => it("has what it needs", () => assert.fail(needs.missing)))
  describe.skip(`${name} (skipped: ${needs.missing})`, tests)
}

/**
 * A group of tests that start guests in the default QEMU. Without one they are skipped, and the reason stands in the report; where a
 * QEMU is mandatory (`REQUIRE_QEMU=1`, or in CI) they fail.
 */
export const describeQemu = (name: string, tests: () => void): void =>
  describeWhere(
    name,
    { isThere: Qemu.installed !== undefined, isRequired: Qemu.isRequired, missing: Qemu.missing },
    tests
  )

/**
 * The same tests for each of some versions of QEMU, such as `["7.2", "11.1"]`. `tests` gets the QEMU; pass it on as the `qemu` of
 * `Guest.start` and `Machine.start`.
 */
export const describeQemus = (
  name: string,
  versions: ReadonlyArray<string>,
  tests: (qemu: Qemu.Qemu) => void
): void => {
  for (const version of versions) {
    const qemu = Qemu.ofVersion(version)
    describeWhere(
      `QEMU ${version}: ${name}`,
      {
        isThere: qemu !== undefined && !Qemu.onlyDefault,
        isRequired: Qemu.isRequired && !Qemu.onlyDefault && Qemu.requiredVersions.includes(version),
        missing: Qemu.onlyDefault
          ? "QEMU_ONLY asks for the default QEMU"
          : `needs QEMU ${version}: name its binary in QEMUS, as .ci/run does`
      },
      // Where it is missing, its tests are skipped one by one.
      () => tests(qemu ?? Qemu.absent(version))
    )
  }
}
