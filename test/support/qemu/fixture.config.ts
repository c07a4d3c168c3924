/**
 * Runs a file of `support` that is no test of the project, for a test that looks at what becomes of it.
 */
import { defineConfig } from "vitest/config"

export default defineConfig({ test: { include: ["test/support/qemu/*.fixture.ts"] } })
