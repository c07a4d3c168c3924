/** The tests that are to notice a mutant. A slow one costs its time for each mutant that it covers. */
import { defineConfig } from "vitest/config"

export default defineConfig({
  test: {
    include: ["test/{format,compression,multifd}/**/*.test.ts", "test/migration/Receive.test.ts"],
    isolate: false,
    testTimeout: 120_000,
    hookTimeout: 120_000
  }
})
