/** A version of QEMU at the end of a machine type's name: `pc-q35-8.1`, `virt-10.0`. */
const VERSIONED = /-(\d+)\.(\d+)(?:\.\d+)?$/

/**
 * Whether a machine type is one of QEMU's own up to this version. Names without a version of QEMU (`microvm`, those of
 * distributions) count as new.
 *
 * @internal
 */
export const isAtMost = (machine: string | undefined, major: number, minor: number): boolean => {
  const found = VERSIONED.exec(machine ?? "")
  if (found === null) return false
  const version = [Number(found[1]), Number(found[2])] as const
  return version[0] < major || (version[0] === major && version[1] <= minor)
}
