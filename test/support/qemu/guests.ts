/**
 * Guests that people run: the command lines that libvirt and Proxmox give, and those that are typed by hand. Of a command line, what
 * would reach out of the test is left out or replaced: taps by a hub port, the display by none.
 *
 *     const guest = yield* Guests.start(space, "libvirt", { qemu })
 *     const vm = yield* Machine.running(space, { qemu, as: "proxmox" })
 */
import * as Effect from "effect/Effect"
import * as Fs from "node:fs"
import * as Guest from "./guest.ts"
import * as Qemu from "./qemu.ts"
import type * as Workspace from "./workspace.ts"

const MIB = 1024 * 1024

/** A guest's name: who would have started it, or its machine type. */
export type Name = "pc" | "q35" | "microvm" | "libvirt" | "libvirt-uefi" | "proxmox"

/** What can be said of a guest without starting it. */
export interface Kind {
  readonly name: Name
  /** The machine type's family; `TYPE-VERSION` is a versioned one. */
  readonly family: "pc" | "pc-i440fx" | "q35" | "pc-q35" | "microvm"
  /** What `query-uuid` answers; `undefined` for zeros. */
  readonly uuid: string | undefined
  readonly vcpus: number
  /** Whether it runs a boot sector: microvm's firmware and UEFI do not. */
  readonly boots: boolean
  /** Whether its main memory is a memfd, so that no path leads to it but that in `/proc`. */
  readonly memfd: boolean
}

/** UEFI's two flashes: the code, which guests share, and the variables, of which each has a copy. */
const OVMF = { code: "/usr/share/OVMF/OVMF_CODE_4M.fd", variables: "/usr/share/OVMF/OVMF_VARS_4M.fd" }

/** All of them, by name. */
export const kinds: Record<Name, Kind> = {
  pc: { name: "pc", family: "pc", uuid: undefined, vcpus: 1, boots: true, memfd: false },
  q35: { name: "q35", family: "q35", uuid: undefined, vcpus: 2, boots: true, memfd: false },
  microvm: { name: "microvm", family: "microvm", uuid: undefined, vcpus: 1, boots: false, memfd: false },
  libvirt: {
    name: "libvirt",
    family: "pc-q35",
    uuid: "8f0b1a2c-5f1e-4d7c-9b52-3f6c9a1d2e47",
    vcpus: 2,
    boots: true,
    memfd: true
  },
  "libvirt-uefi": {
    name: "libvirt-uefi",
    family: "pc-q35",
    uuid: "c4d5e6f7-0819-4a2b-8c3d-4e5f60718293",
    vcpus: 2,
    boots: false,
    memfd: true
  },
  proxmox: {
    name: "proxmox",
    family: "pc",
    uuid: "3a9c7e14-0b2d-4f86-a1e5-6d7c8b9f0a12",
    vcpus: 4,
    boots: true,
    memfd: false
  }
}

export const names: ReadonlyArray<Name> = Object.values(kinds).map(({ name }) => name)

/** Why this computer cannot run a guest, or `undefined` where it can. */
export const missing = (name: Name): string | undefined =>
  name === "libvirt-uefi" && !Fs.existsSync(OVMF.code) ? `needs ${OVMF.code}: install ovmf, as .ci/run does` : undefined

/** The machine type of a guest in a QEMU: with the QEMU's version where libvirt would write it down. */
export const machineOf = (name: Name, qemu: Qemu.Qemu | undefined = Qemu.installed): string => {
  const { family } = kinds[name]
  const isVersioned = family === "pc-q35" || family === "pc-i440fx"
  return isVersioned && qemu !== undefined ? `${family}-${Qemu.versionOf(qemu)}` : family
}

/** Files of one guest. */
interface Files {
  readonly disk: string
  readonly monitor: string
  readonly variables: string
}

interface Parts {
  readonly machineOptions?: ReadonlyArray<string>
  readonly disk: (file: string) => ReadonlyArray<string>
  readonly args: (files: Files) => ReadonlyArray<string>
}

/** No clock in guest memory: one would be rewritten as the guest is loaded. */
const CPU = "qemu64,kvmclock=off"

const ports = [1, 2, 3, 4, 5].flatMap((port) => [
  "-device",
  `pcie-root-port,port=${15 + port},chassis=${port},id=pci.${port},bus=pcie.0,` +
    (port === 1 ? "multifunction=on,addr=0x2" : `addr=0x2.0x${port - 1}`)
])

const blockdev = (node: string, filename: string, readOnly: boolean): ReadonlyArray<string> => [
  ...["-blockdev", `driver=file,filename=${filename},node-name=${node}-storage,auto-read-only=on,discard=unmap`],
  ...["-blockdev", `driver=raw,node-name=${node}-format,read-only=${readOnly ? "on" : "off"},file=${node}-storage`]
]

const libvirt = (uuid: string): Parts => ({
  machineOptions: ["usb=off", "vmport=off", "dump-guest-core=off"],
  disk: (file) => [
    ...blockdev("libvirt-1", file, false),
    ...["-device", "virtio-blk-pci,bus=pci.4,addr=0x0,drive=libvirt-1-format,id=virtio-disk0,bootindex=1"]
  ],
  args: ({ monitor }) =>
    [
      ["-name", "guest=vm,debug-threads=on", "-cpu", CPU, "-overcommit", "mem-lock=off"],
      ["-smp", "2,sockets=2,cores=1,threads=1", "-uuid", uuid, "-no-user-config"],
      ["-chardev", `socket,id=charmonitor,path=${monitor},server=on,wait=off`],
      ["-mon", "chardev=charmonitor,id=monitor,mode=control"],
      ["-rtc", "base=utc,driftfix=slew", "-global", "kvm-pit.lost_tick_policy=delay", "-no-shutdown"],
      ["-global", "ICH9-LPC.disable_s3=1", "-global", "ICH9-LPC.disable_s4=1", "-boot", "strict=on"],
      ports,
      ["-device", "qemu-xhci,p2=15,p3=15,id=usb,bus=pci.2,addr=0x0"],
      ["-device", "virtio-serial-pci,id=virtio-serial0,bus=pci.3,addr=0x0"],
      ["-netdev", "hubport,id=hostnet0,hubid=0"],
      ["-device", "virtio-net-pci,netdev=hostnet0,id=net0,mac=52:54:00:12:34:56,bus=pci.1,addr=0x0,rombar=0"],
      ["-chardev", "null,id=charserial0", "-device", "isa-serial,chardev=charserial0,id=serial0,index=0"],
      ["-chardev", "null,id=charchannel0"],
      ["-device", "virtserialport,bus=virtio-serial0.0,nr=1,chardev=charchannel0,name=org.qemu.guest_agent.0"],
      ["-device", "usb-tablet,id=input0,bus=usb.0,port=1"],
      ["-device", "virtio-vga,id=video0,max_outputs=1,bus=pcie.0,addr=0x1"],
      ["-device", "virtio-balloon-pci,id=balloon0,bus=pci.5,addr=0x0"],
      ["-object", "rng-random,id=objrng0,filename=/dev/urandom"],
      ["-sandbox", "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny"],
      ["-msg", "timestamp=on"]
    ].flat()
})

const proxmox: Parts = {
  disk: (file) => [
    ...["-drive", `file=${file},if=none,id=drive-scsi0,format=raw,cache=none,aio=threads,detect-zeroes=on`],
    ...["-device", "scsi-hd,bus=scsihw0.0,channel=0,scsi-id=0,lun=0,drive=drive-scsi0,id=scsi0,bootindex=100"]
  ],
  args: ({ monitor }) =>
    [
      ["-name", "vm,debug-threads=on", "-no-shutdown", "-cpu", CPU],
      ["-chardev", `socket,id=qmp,path=${monitor},server=on,wait=off`, "-mon", "chardev=qmp,mode=control"],
      ["-smbios", `type=1,uuid=${kinds.proxmox.uuid}`, "-smp", "4,sockets=1,cores=4,maxcpus=4", "-boot", "strict=on"],
      ["-device", "pci-bridge,id=pci.1,chassis_nr=1,bus=pci.0,addr=0x1e"],
      ["-device", "pci-bridge,id=pci.2,chassis_nr=2,bus=pci.0,addr=0x1f"],
      ["-device", "vmgenid,guid=2d9a3b4c-8e7f-4a61-b0c5-1f2e3d4c5b6a"],
      ["-device", "piix3-usb-uhci,id=uhci,bus=pci.0,addr=0x1.0x2"],
      ["-device", "usb-tablet,id=tablet,bus=uhci.0,port=1", "-device", "VGA,id=vga,bus=pci.0,addr=0x2"],
      ["-device", "virtio-balloon-pci,id=balloon0,bus=pci.0,addr=0x3"],
      ["-device", "virtio-scsi-pci,id=scsihw0,bus=pci.0,addr=0x5"],
      ["-netdev", "hubport,id=net0,hubid=0"],
      ["-device", "virtio-net-pci,mac=BC:24:11:2E:C6:1A,netdev=net0,bus=pci.0,addr=0x12,id=net0,rombar=0"]
    ].flat()
}

const byHand = (disk: Parts["disk"], ...args: ReadonlyArray<string>): Parts => ({
  disk,
  args: ({ monitor }) => ["-cpu", CPU, "-qmp", `unix:${monitor},server=on,wait=off`, ...args]
})

const drive = (file: string) => ["-drive", `if=none,id=disk,format=raw,file=${file}`]

const parts: Record<Name, Parts> = {
  pc: byHand((file) => [...drive(file), "-device", "ide-hd,drive=disk"]),
  q35: byHand(
    (file) => [...drive(file), "-device", "virtio-blk-pci,drive=disk"],
    ...["-smp", "2", "-netdev", "user,id=net,restrict=on", "-device", "virtio-net-pci,netdev=net,rombar=0"],
    ...["-device", "VGA"]
  ),
  microvm: byHand(
    (file) => [...drive(file), "-device", "virtio-blk-device,drive=disk"],
    ...["-no-user-config", "-netdev", "user,id=net,restrict=on", "-device", "virtio-net-device,netdev=net"]
  ),
  libvirt: libvirt(kinds.libvirt.uuid!),
  "libvirt-uefi": {
    ...libvirt(kinds["libvirt-uefi"].uuid!),
    machineOptions: [
      ...libvirt("").machineOptions!,
      ...["pflash0=libvirt-pflash0-format", "pflash1=libvirt-pflash1-format"]
    ],
    args: (files) => [
      ...blockdev("libvirt-pflash0", OVMF.code, true),
      ...blockdev("libvirt-pflash1", files.variables, false),
      ...libvirt(kinds["libvirt-uefi"].uuid!).args(files)
    ]
  },
  proxmox
}

/** How one guest is started. */
export interface Options {
  /** Default: the QEMU of the machine. */
  readonly qemu?: Qemu.Qemu | undefined
  /** Tells the files of guests of one space apart. Default: the name of the guest. */
  readonly label?: string | undefined
  /** Another machine type, such as `pc-i440fx-8.0`. */
  readonly machine?: string | undefined
  /** Bytes of main memory. Default 16 MiB. */
  readonly size?: number | undefined
  readonly incoming?: boolean | undefined
  /** A disk image with a boot sector. Default: an empty disk, and the guest never executes an instruction. */
  readonly boot?: string | undefined
  readonly kvm?: boolean | undefined
  /** More arguments of QEMU. */
  readonly args?: ReadonlyArray<string> | undefined
}

/** The path of the socket of a guest's own monitor, to which `multifd` may connect. */
export const socketOf = (space: Workspace.Workspace, label: string): string => space.file(`${label}-qmp`)

/** What `Guest.start` needs to start a guest of this name. */
export const optionsOf = (space: Workspace.Workspace, name: Name, options: Options = {}): Guest.Options => {
  const { args = [], boot, incoming, kvm, label = name, machine, qemu, size = 16 * MIB } = options
  const { args: own, disk, machineOptions = [] } = parts[name]
  const files = {
    disk: space.file(`${label}-disk`),
    monitor: socketOf(space, label),
    variables: space.file(`${label}-vars`)
  }
  if (boot === undefined) Fs.writeFileSync(files.disk, Buffer.alloc(MIB), { flag: "wx" })
  if (name === "libvirt-uefi") Fs.copyFileSync(OVMF.variables, files.variables)
  return {
    ...{ qemu, incoming, boot, kvm, disk },
    machine: [machine ?? machineOf(name, qemu), ...machineOptions].join(),
    ram: kinds[name].memfd ? { memfd: true, size } : { file: space.ram(label), size },
    args: [...own(files), ...(boot === undefined ? disk(files.disk) : []), ...args]
  }
}

/** A guest, the socket of its monitor, and the path of its main memory. */
export interface Started {
  readonly guest: Guest.Guest
  readonly socket: string
  readonly ram: string
}

/** Starts a guest of this name. It is killed and waited for when the scope closes. */
export const start = Effect.fnUntraced(function* (space: Workspace.Workspace, name: Name, options: Options = {}) {
  const guest = yield* Guest.start(optionsOf(space, name, options))
  const { label = name } = options
  const ram = kinds[name].memfd ? Guest.memfdOf(guest) : space.ram(label)
  return { guest, ram, socket: socketOf(space, label) } satisfies Started
})
