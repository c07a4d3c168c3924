/**
 * The bundles of the package. Each entry becomes one file without imports of other packages.
 *
 *     src/main.ts                        ─▶ dist/multifd.js       the command, which dist/bin.js loads
 *     src/lanes/internal/laneWorker.ts   ─▶ dist/laneWorker.js    found beside the command: new URL("./laneWorker.js", …)
 */
import * as Fs from "node:fs"
import * as Path from "node:path"
import { rolldown } from "rolldown"

/** A further file of the command is added here. A worker must have the name by which its `new URL(…)` finds it. */
const entries: Readonly<Record<string, string>> = {
  multifd: "src/main.ts",
  laneWorker: "src/lanes/internal/laneWorker.ts"
}

const root = Path.resolve(import.meta.dirname, "..")

/** Prebuilt and optional: the bundle looks for it where it runs. */
const external = ["@node-rs/crc32"]

/** Keeps lines and names: a stack trace must show where in the bundle an error comes from. */
const readable = { minify: false, comments: { legal: false, annotation: false, jsdoc: false } } as const

/** Writes the bundles into a folder. The command reads its version from the package.json above that. */
const bundle = async (folder: string): Promise<void> => {
  for (const [name, input] of Object.entries(entries)) {
    const build = await rolldown({ cwd: root, input: { [name]: input }, platform: "node", external, logLevel: "warn" })
    await build.write({ dir: folder, format: "esm", codeSplitting: false, sourcemap: false, ...readable })
    await build.close()
  }
}

const isProgram = (id: string): boolean => id === "./main.ts"

/** Writes the file that is run: it looks at the version of Node, then loads the bundle. */
const entry = async (folder: string): Promise<void> => {
  const build = await rolldown({ cwd: root, input: { bin: "src/bin.ts" }, platform: "node", external: isProgram })
  const { output } = await build.generate({ format: "esm", sourcemap: false })
  await build.close()
  const [{ code }] = output
  Fs.writeFileSync(Path.join(folder, "bin.js"), code.replace("./main.ts", "./multifd.js"), { mode: 0o755 })
}

/** Writes everything that the command consists of. */
export const bundleCommand = async (folder: string): Promise<void> => {
  await bundle(folder)
  await entry(folder)
}
