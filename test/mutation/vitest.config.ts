/** The tests that are to notice a mutant. A slow one costs its time for each mutant that it covers. */
import { defineConfig } from "vitest/config"
import { chosen } from "./rooms.ts"

export default defineConfig({
  test: {
    include: [...chosen().tests],
    exclude: ["test/cli/bin.test.ts"],
    isolate: false,
    // A mutant that lets an answer never come is noticed here; Stryker's own limit, for loops, starts the runner anew.
    testTimeout: 120_000,
    hookTimeout: 120_000
  }
})
