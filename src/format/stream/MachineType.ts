/**
 * What the name of a machine type says of the QEMU that it is of: `pc-q35-8.1`, `virt-10.0`, and those that distributions call
 * something else, `pc-i440fx-jammy`, `pc-q35-rhel9.2.0`.
 *
 * Some of what goes over the wire follows the machine type, so that a guest can move between versions of QEMU:
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

/** The pseries types of 2.12 and before have a second form, `-sxxm`. */
const VERSIONED = /(?:^|-)(\d+)\.(\d+)(?:\.\d+)?(?:-sxxm)?$/

/**
 * The version of QEMU that a machine type is of, by its name: QEMU's own, Ubuntu's, or RHEL's. `undefined` where the name does
 * not say it (`microvm`, `none`), or is that of another distribution.
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
 * Whether a machine type is of this version of QEMU or an older one. Names that say nothing count as new.
 *
 * **Example** (A machine type of before MULTIFD_FLUSH)
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
