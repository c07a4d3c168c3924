/**
 * The other versions of Node that this machine has, and the package as npm installs it.
 */
import * as ChildProcess from "node:child_process"
import * as Fs from "node:fs"
import * as Path from "node:path"
import * as Consumer from "../project/consumer.ts"
import { root, run } from "../project/run.ts"
import * as Qemu from "./qemu.ts"

/** A Node of this machine. */
export interface Node {
  readonly binary: string
  /** `22.19.0` */
  readonly version: string
}

const detect = (binary: string): Node | undefined => {
  const { stdout } = ChildProcess.spawnSync(binary, ["--version"], { encoding: "utf8" })
  const version = /^v(\d+\.\d+\.\d+)/.exec(stdout ?? "")?.[1]
  return version === undefined ? undefined : { binary, version }
}

/** Those that `NODES` lists, separated by colons; none in a run that is about another QEMU. */
const all: ReadonlyArray<Node> = (Qemu.onlyDefault ? "" : (process.env["NODES"] ?? ""))
  .split(":")
  .filter(Boolean)
  .map(detect)
  .filter((node) => node !== undefined)

/** The Node of a version such as `22.19` or `26`, where the machine has one. */
export const ofVersion = (version: string): Node | undefined =>
  all.find((node) => node.version === version || node.version.startsWith(`${version}.`))

/** Where a missing Node is a failure and not a reason to skip. */
export const isRequired: boolean =
  !Qemu.onlyDefault && ((process.env["CI"] ?? "") !== "" || process.env["REQUIRE_QEMU"] === "1")

/** Versions that must not be missing where they are required; of others, the tests are skipped. */
export const requiredVersions: ReadonlyArray<string> = ["20", "22.19", "24", "26"]

/** Effect as `package-lock.json` has it: what is tested is the version of Node. */
const effect = (): string => {
  const { packages } = JSON.parse(Fs.readFileSync(Path.join(root, "package-lock.json"), "utf8"))
  return `effect@${packages["node_modules/effect"].version}`
}

/** Packs the package and lets npm install it into an empty folder; gives the path of the command. */
export const install = async (folder: string): Promise<string> => {
  const tarball = await Consumer.pack(folder)
  const empty = Path.join(folder, "empty")
  Fs.mkdirSync(empty)
  const quiet = ["--no-audit", "--no-fund", "--loglevel=error"]
  await run(empty, "npm", "install", "--prefer-offline", ...quiet, tarball, effect())
  return Path.join(empty, "node_modules/.bin/multifd")
}
