/** The tests of test/faults, for hours: every number that test/faults/support/settings.ts knows, as large as is worth it. */
import { defineConfig } from "vitest/config"

export default defineConfig({
  test: {
    include: ["test/faults/**/*.test.ts", "test/soak/**/*.soak.ts"],
    env: {
      FAULTS_KILL_PAGES: "300",
      FAULTS_KILL_ROUNDS: "4",
      FAULTS_CALL_PAGES: "96",
      FAULTS_SOCKET_CODES: "4",
      FAULTS_DECODER_CASES: "10000000",
      FAULTS_PARTIAL_SEEDS: "50",
      FAULTS_POWER_SEEDS: "1000",
      FAULTS_POWER_SUBSETS: "1000"
    },
    testTimeout: 0,
    hookTimeout: 0
  }
})
