/**
 * The version of QEMU in the name of a machine type: `pc-q35-8.1`, `virt-10.0`, and the names that distributions use,
 * `pc-i440fx-jammy`, `pc-q35-rhel9.2.0`.
 *
 * Some of the wire format follows the machine type, so that a guest can move between versions of QEMU:
 *
 * ```text
 *   up to 8.0     the sections of RAM are the marks of multifd's syncs
 *   up to 8.2     zero pages are found by the main channel, unless told otherwise
 *   8.1 to 11.0   a SWITCHOVER_ACK that the source does not wait for is harmless
 *   from 10.0     SWITCHOVER_START in front of RAM's END
 * ```
 *
 * @since 0.1.0
 */
import { versionOfDistribution } from "./internal/machineNames.ts"
import type { Version } from "./internal/machineTypeModel.ts"

export type { Version } from "./internal/machineTypeModel.ts"

/** The pseries types of 2.12 and earlier have a second form, `-sxxm`. */
const VERSIONED = /(?:^|-)(\d+)\.(\d+)(?:\.\d+)?(?:-sxxm)?$/

/**
 * The version of QEMU that a machine type belongs to, from its name: QEMU's own, Ubuntu's, or RHEL's. `undefined` if
 * the name has no version (`microvm`, `none`), or comes from another distribution.
 *
 * **Example** (A machine type of Ubuntu 22.04)
 *
 * ```ts
 * import { MachineType } from "effect-multifd/format"
 *
 * MachineType.versionOf("pc-i440fx-jammy") // => { major: 6, minor: 2 }
 * ```
 *
 * @stability unstable
 * @category getters
 * @since 0.1.0
 */
export const versionOf = (machine: string | undefined): Version | undefined => {
  if (machine === undefined) return undefined
  const found = VERSIONED.exec(machine)
  if (found === null) return versionOfDistribution(machine)
  return { major: Number(found[1]), minor: Number(found[2]) }
}

/**
 * `true` if a machine type belongs to this version of QEMU or an older one. Names without a version count as new.
 *
 * **Example** (A machine type older than MULTIFD_FLUSH)
 *
 * ```ts
 * import { MachineType } from "effect-multifd/format"
 *
 * MachineType.isAtMost("pc-i440fx-8.0", 8, 0) // => true
 * MachineType.isAtMost("pc-i440fx-10.0", 8, 0) // => false
 * ```
 *
 * @stability unstable
 * @category guards
 * @since 0.1.0
 */
export const isAtMost = (machine: string | undefined, major: number, minor: number): boolean => {
  const version = versionOf(machine)
  return version !== undefined && (version.major < major || (version.major === major && version.minor <= minor))
}
