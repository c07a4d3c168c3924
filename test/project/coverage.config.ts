/** `npm run coverage`: every line and branch of what reads and writes bytes is run by the tests next to it. */
import { defineConfig } from "vitest/config"

export default defineConfig({
  test: {
    include: ["test/{format,compression}/**/*.test.ts"],
    isolate: false,
    testTimeout: 120_000,
    hookTimeout: 120_000,
    coverage: {
      enabled: true,
      include: ["src/{format,compression}/**/*.ts"],
      thresholds: { branches: 100, functions: 100, lines: 100, statements: 100 }
    }
  }
})
