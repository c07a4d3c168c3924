/**
 * The tests of test/faults and test/simulation and the grids of test/interop, for hours: every number of test/support/settings.ts as
 * large as is worth it, and tests that are only worth it at such a length. What the environment sets already stays as it is.
 */
import { defineConfig } from "vitest/config"

const numbers = {
  FAULTS_KILL_PAGES: "300",
  FAULTS_KILL_ROUNDS: "4",
  FAULTS_CALL_PAGES: "96",
  FAULTS_SOCKET_CODES: "4",
  FAULTS_MIGRATIONS: "20000",
  FAULTS_DECODER_CASES: "10000000",
  FAULTS_PARTIAL_SEEDS: "50",
  // A million states: three kinds of saves, their subsets, and all and nothing at each call.
  FAULTS_POWER_SEEDS: "320",
  FAULTS_POWER_SUBSETS: "1000",
  SIMULATION_SEEDS: "50000",
  QEMU_SHAPES: "3000",
  // Every combination of options with every QEMU, and not only every two of them.
  GRID: "all"
}

export default defineConfig({
  test: {
    include: [
      ...["test/faults/**/*.test.ts", "test/simulation/**/*.test.ts", "test/soak/**/*.soak.ts"],
      ...["CaptureResume", "Receive", "Send"].map((name) => `test/interop/${name}.test.ts`)
    ],
    env: Object.fromEntries(Object.entries(numbers).map(([name, number]) => [name, process.env[name] ?? number])),
    testTimeout: 0,
    hookTimeout: 0
  }
})
