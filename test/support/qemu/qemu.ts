/**
 * The QEMUs of this machine, and which of them it has to have.
 */
import * as ChildProcess from "node:child_process"

/** A QEMU of this machine. */
export interface Qemu {
  /** What starts it. */
  readonly binary: string
  readonly major: number
  readonly minor: number
  readonly micro: number
}

/** The emulator that guests run in by default; `QEMU` in the environment names another binary. */
export const binary: string = process.env["QEMU"] ?? "qemu-system-x86_64"

/** The first version with mapped-ram. */
const OLDEST_MAJOR = 9

const detect = (binary: string): Qemu | undefined => {
  const { stdout } = ChildProcess.spawnSync(binary, ["--version"], { encoding: "utf8" })
  const version = /version (\d+)\.(\d+)\.(\d+)/.exec(stdout ?? "")
  if (version === null) return undefined
  return { binary, major: Number(version[1]), minor: Number(version[2]), micro: Number(version[3]) }
}

const found = detect(binary)

/** The default QEMU; `undefined` when there is none or it is older than 9.0. */
export const installed: Qemu | undefined = found !== undefined && found.major >= OLDEST_MAJOR ? found : undefined

/** `10.0`: the version that decides what a QEMU can do. */
export const versionOf = ({ major, minor }: Pick<Qemu, "major" | "minor">): string => `${major}.${minor}`

/** The default QEMU and those that `QEMUS` lists, separated by colons; the oldest first, each version once. */
export const all: ReadonlyArray<Qemu> = [
  installed,
  ...(process.env["QEMUS"] ?? "").split(":").filter(Boolean).map(detect)
]
  .filter((qemu) => qemu !== undefined)
  .filter((qemu, index, list) => list.findIndex((other) => versionOf(other) === versionOf(qemu)) === index)
  .toSorted((a, b) => a.major - b.major || a.minor - b.minor)

/** The QEMU of a version such as `11.1`, where the machine has one. */
export const ofVersion = (version: string): Qemu | undefined => all.find((qemu) => versionOf(qemu) === version)

/** Stands for a QEMU that the machine does not have. */
export const absent = (version: string): Qemu => {
  const [major = 0, minor = 0] = version.split(".").map(Number)
  return { binary: `no QEMU ${version}`, major, minor, micro: 0 }
}

/** Where a missing QEMU is a failure and not a reason to skip. */
export const isRequired: boolean = process.env["REQUIRE_QEMU"] === "1" || (process.env["CI"] ?? "") !== ""

/** Whether only tests of the default QEMU run (`QEMU_ONLY=1`): those for a list of versions do not depend on which that is. */
export const onlyDefault: boolean = process.env["QEMU_ONLY"] === "1"

/** Versions that must not be missing where QEMU is required; others are skipped with a message. */
export const requiredVersions: ReadonlyArray<string> = ["10.0", "11.1"]

/** The message where the default QEMU is missing. */
export const missing: string = `needs QEMU ${OLDEST_MAJOR}.0 or newer: no such ${binary} on the PATH`

/** `true` when a QEMU is at least `major.minor`. Default: the default QEMU. */
export const isAtLeast = (major: number, minor: number, qemu: Qemu | undefined = installed): boolean =>
  qemu !== undefined && (qemu.major > major || (qemu.major === major && qemu.minor >= minor))
