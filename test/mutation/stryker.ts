/** The settings of Stryker. */
import { chosen } from "./rooms.ts"

const { MUTATION_ONLY } = process.env

export default {
  mutate: MUTATION_ONLY === undefined ? chosen().sources : MUTATION_ONLY.split(","),
  mutator: { excludedMutations: ["StringLiteral", "ObjectLiteral", "ArrayDeclaration"] },
  plugins: ["@stryker-mutator/vitest-runner", "./test/mutation/sample.ts", "./test/mutation/survivors.ts"],
  checkers: ["sample"],
  testRunner: "vitest",
  vitest: { configFile: "test/mutation/vitest.config.ts" },
  coverageAnalysis: "perTest",
  ignoreStatic: true,
  // The sample is drawn by one process, which has to see all mutants.
  concurrency: 1,
  dryRunTimeoutMinutes: 30,
  timeoutMS: 20_000,
  timeoutFactor: 3,
  tsconfigFile: "none",
  ignorePatterns: ["dist", "docs", "examples", "test/bench", "test/interop"],
  reporters: ["clear-text", "progress-append-only", "json", "survivors"],
  clearTextReporter: { logTests: false, allowColor: false },
  thresholds: { high: 95, low: 90, break: 85 }
}
