import type { Version } from "./machineTypeModel.ts"

/**
 * Ubuntu's machine types are named after its releases: `pc-i440fx-jammy`, `pc-q35-noble-v2`,
 * `pc-q35-focal-hpb-maxcpus`. Each belongs to the QEMU of that release (`apt-cache policy qemu-system-x86` there, and
 * the list of `-machine help`, which names the release of each type).
 */
const ubuntu: Readonly<Record<string, Version>> = {
  trusty: { major: 2, minor: 0 },
  utopic: { major: 2, minor: 1 },
  vivid: { major: 2, minor: 2 },
  wily: { major: 2, minor: 3 },
  xenial: { major: 2, minor: 5 },
  yakkety: { major: 2, minor: 6 },
  zesty: { major: 2, minor: 8 },
  artful: { major: 2, minor: 10 },
  bionic: { major: 2, minor: 11 },
  cosmic: { major: 2, minor: 12 },
  disco: { major: 3, minor: 1 },
  eoan: { major: 4, minor: 0 },
  focal: { major: 4, minor: 2 },
  groovy: { major: 5, minor: 0 },
  hirsute: { major: 5, minor: 2 },
  impish: { major: 6, minor: 0 },
  jammy: { major: 6, minor: 2 },
  kinetic: { major: 7, minor: 0 },
  lunar: { major: 7, minor: 2 },
  mantic: { major: 8, minor: 0 },
  noble: { major: 8, minor: 2 },
  oracular: { major: 9, minor: 0 },
  plucky: { major: 9, minor: 2 },
  questing: { major: 10, minor: 1 }
}

/**
 * The machine types of RHEL, CentOS Stream and their rebuilds are named after the release that introduced them:
 * `pc-q35-rhel9.2.0`, `virt-rhel9.4.0`. Each belongs to the `qemu-kvm` of that release (its package's version there).
 */
const rhel: Readonly<Record<string, Version>> = {
  "7.6": { major: 2, minor: 12 },
  "8.0": { major: 3, minor: 1 },
  "8.1": { major: 4, minor: 1 },
  "8.2": { major: 4, minor: 2 },
  "8.3": { major: 5, minor: 1 },
  "8.4": { major: 5, minor: 2 },
  "8.5": { major: 6, minor: 0 },
  "8.6": { major: 6, minor: 2 },
  "9.0": { major: 6, minor: 2 },
  "9.2": { major: 7, minor: 2 },
  "9.4": { major: 8, minor: 2 },
  "9.6": { major: 9, minor: 1 },
  "10.0": { major: 9, minor: 1 }
}

/**
 * The types of RHEL 6 and 7 before 7.6 belong to QEMU 2.x at most; on the wire, the exact version makes no difference.
 */
const OLD_RHEL = /(?:^|-)rhel(?:6\.\d+|7\.[0-5])\.\d+(?:-sxxm)?$/
const RHEL = /-rhel(\d+\.\d+)\.\d+(?:-sxxm)?$/
const UBUNTU = /^(?:pc-i440fx|pc-q35|virt|pseries|s390-ccw-virtio)-([a-z]+)(?:-(?:v\d+|hpb|sxxm|maxcpus))*$/

const get = (table: Readonly<Record<string, Version>>, name: string | undefined): Version | undefined =>
  name !== undefined && Object.hasOwn(table, name) ? table[name] : undefined

/**
 * The version of QEMU that a distribution's machine type belongs to; `undefined` if the name is unknown.
 *
 * @internal
 */
export const versionOfDistribution = (machine: string): Version | undefined =>
  OLD_RHEL.test(machine)
    ? { major: 2, minor: 0 }
    : (get(rhel, RHEL.exec(machine)?.[1]) ?? get(ubuntu, UBUNTU.exec(machine)?.[1]))
