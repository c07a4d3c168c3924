/**
 * Which QEMU the machine has, and whether it has to have one.
 */
import * as ChildProcess from "node:child_process"

/** The emulator that all guests run in; `QEMU` in the environment names another binary. */
export const binary: string = process.env["QEMU"] ?? "qemu-system-x86_64"

/** A QEMU that can write and read mapped-ram files. */
export interface Installed {
  readonly major: number
  readonly minor: number
  readonly micro: number
}

/** The first version with mapped-ram. */
const OLDEST_MAJOR = 9

const detect = (): Installed | undefined => {
  const { stdout } = ChildProcess.spawnSync(binary, ["--version"], { encoding: "utf8" })
  const version = /version (\d+)\.(\d+)\.(\d+)/.exec(stdout ?? "")
  if (version === null || Number(version[1]) < OLDEST_MAJOR) return undefined
  return { major: Number(version[1]), minor: Number(version[2]), micro: Number(version[3]) }
}

/** The QEMU of this machine; `undefined` when there is none or it is older than 9.0. */
export const installed: Installed | undefined = detect()

/** Where a missing QEMU is a failure and not a reason to skip. */
export const isRequired: boolean = process.env["REQUIRE_QEMU"] === "1" || (process.env["CI"] ?? "") !== ""

/** What to say when there is none. */
export const missing: string = `needs QEMU ${OLDEST_MAJOR}.0 or newer: no such ${binary} on the PATH`

/** `true` when the QEMU of this machine is at least `major.minor`. */
export const isAtLeast = (major: number, minor: number): boolean =>
  installed !== undefined && (installed.major > major || (installed.major === major && installed.minor >= minor))
