/**
 * What the name of a machine type says of the QEMU that it is of: `pc-q35-8.1`, `virt-10.0`.
 *
 * Some of what goes over the wire follows the machine type, so that a guest can move between versions of QEMU:
 *
 * ```text
 *   up to 8.0    the sections of RAM are the marks of multifd's syncs
 *   up to 8.2    zero pages are found by the main channel, unless told otherwise
 *   10.0         SWITCHOVER_START in front of RAM's END
 * ```
 *
 * @since 0.1.0
 */

const VERSIONED = /-(\d+)\.(\d+)(?:\.\d+)?$/

/**
 * Whether a machine type is one of QEMU's own up to this version. Names without a version of QEMU (`microvm`, those of
 * distributions) count as new.
 *
 * **Example** (A machine type of before MULTIFD_FLUSH)
 *
 * ```ts
 * import { MachineType } from "effect-multifd"
 *
 * MachineType.isAtMost("pc-i440fx-8.0", 8, 0) // => true
 * MachineType.isAtMost("pc-i440fx-10.0", 8, 0) // => false
 * ```
 *
 * @category guards
 * @since 0.1.0
 */
export const isAtMost = (machine: string | undefined, major: number, minor: number): boolean => {
  const found = VERSIONED.exec(machine ?? "")
  if (found === null) return false
  const version = [Number(found[1]), Number(found[2])] as const
  return version[0] < major || (version[0] === major && version[1] <= minor)
}
