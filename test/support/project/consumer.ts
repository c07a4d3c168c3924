/**
 * A project that uses the package as its users do: from a packed tarball, through its `exports`.
 */
import * as Fs from "node:fs/promises"
import * as Path from "node:path"
import { root, run } from "./run.ts"
import * as Temporary from "./temporary.ts"

/** What the package is built and packed from. */
const inputs = [
  ...["package.json", "tsconfig.json", "tsconfig.build.json", "src", "scripts", "schema", "man", "docs", "examples"],
  ...["README.md", "LICENSE", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md"]
]

/** Installed packages and builds stay behind. */
const isSource = (path: string): boolean =>
  !/\/(?:node_modules|\.site|\.vitepress)(?:\/|$)/.test(path.slice(root.length))

export interface Consumer {
  /** The consumer's own folder. */
  readonly folder: string
  /** The installed package. */
  readonly installed: string
  /** The files of the tarball, relative to the package. */
  readonly files: ReadonlyArray<string>
}

/** Packs a copy of the project, so that a build under way or left behind in the checkout plays no part. */
export const pack = async (folder: string): Promise<string> => {
  const copy = Path.join(folder, "project")
  await Fs.mkdir(copy, { recursive: true })
  for (const name of inputs)
    await Fs.cp(Path.join(root, name), Path.join(copy, name), { recursive: true, filter: isSource }).catch(
      (error: NodeJS.ErrnoException) => {
        if (error.code !== "ENOENT") throw error
      }
    )
  await Fs.symlink(Path.join(root, "node_modules"), Path.join(copy, "node_modules"))
  await run(copy, "npm", "pack", "--pack-destination", folder)
  const tarball = (await Fs.readdir(folder)).find((name) => name.endsWith(".tgz"))
  if (tarball === undefined) throw new Error(`npm pack left no tarball in ${folder}`)
  return Path.join(folder, tarball)
}

/**
 * Makes the consumer: the tarball is unpacked where npm would, and the dependencies are links to the project's own, so
 * that nothing is downloaded.
 */
export const make = async (folder: string): Promise<Consumer> => {
  const tarball = await pack(folder)
  const consumer = Path.join(folder, "consumer")
  const modules = Path.join(consumer, "node_modules")
  const installed = Path.join(modules, "effect-multifd")
  await Fs.mkdir(installed, { recursive: true })
  await run(installed, "tar", "--extract", "--strip-components=1", "--file", tarball)
  for (const name of ["effect", "@effect", "@types", "undici-types", "v86"])
    await Fs.symlink(Path.join(root, "node_modules", name), Path.join(modules, name))
  const compilerOptions = { module: "NodeNext", target: "ES2024", strict: true, noEmit: true, types: ["node"] }
  await Temporary.writeFiles(consumer, {
    "package.json": { name: "consumer", type: "module", dependencies: { "effect-multifd": "0" } },
    "tsconfig.json": { include: ["*.ts"], compilerOptions }
  })
  const listing = await run(folder, "tar", "--list", "--file", tarball)
  return {
    folder: consumer,
    installed,
    files: listing
      .trim()
      .split("\n")
      .map((line) => line.replace(/^package\//, ""))
  }
}
