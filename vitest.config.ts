import { defineConfig } from "vitest/config"

/**
 * Folders whose tests touch nothing but memory of their own: they share processes, and what is loaded in them. Everything else
 * meets the system (files, sockets, other processes, what this process is set to), one process for each file.
 */
const pure = [
  "compression",
  "format",
  "image",
  "migration",
  "multifd",
  "qemu",
  "ram",
  "simulation",
  "snapshot",
  "testing",
  "transfer"
]
const pureTests = pure.map((folder) => `test/${folder}/**/*.test.ts`)

export default defineConfig({
  test: {
    // Left to itself, vitest keeps a processor free; these tests often wait for QEMU, which leaves one free.
    maxWorkers: "100%",
    // Where something hangs, this ends it. What takes its time on a slow machine is to be given it.
    testTimeout: 120_000,
    hookTimeout: 120_000,
    // For the processes that tests start from the sources, which are then compiled once.
    env: { NODE_COMPILE_CACHE: `${import.meta.dirname}/node_modules/.cache/compiled` },
    coverage: { include: ["src/**/*.ts"] },
    // In the order of their names. The first one has the long files: in the end, no worker is to wait for another one.
    projects: [
      { extends: true, test: { name: "apart", include: ["test/**/*.test.ts"], exclude: pureTests } },
      { extends: true, test: { name: "together", include: pureTests, isolate: false } }
    ]
  }
})
