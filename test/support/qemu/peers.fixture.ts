/**
 * Tests that need QEMUs, for `Suite.test.ts`: it runs this file by itself, with QEMUs that are there and some that are not.
 */
import { it } from "@effect/vitest"
import { describeQemu, describeQemus } from "./suite.ts"

describeQemu("the default QEMU", () => it("runs", () => {}))

describeQemus("QEMU", ["5.2", "10.0", "11.1"], () => it("runs", () => {}))
