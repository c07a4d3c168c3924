import { assert } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fs from "node:fs"
import * as SocketAddress from "../../src/io/sockets/SocketAddress.ts"
import * as Image from "../../src/image/Image.ts"
import * as Capture from "../../src/qemu/Capture.ts"
import * as QmpClient from "../../src/qemu/QmpClient.ts"
import * as QmpCommands from "../../src/qemu/QmpCommands.ts"
import * as Resume from "../../src/qemu/Resume.ts"
import { itSpace } from "../support/qemu/it.ts"
import * as Files from "../support/qemu/files.ts"
import * as Guest from "../support/qemu/guest.ts"
import type * as Qemu from "../support/qemu/qemu.ts"
import { describeQemus } from "../support/qemu/suite.ts"
import type * as Workspace from "../support/qemu/workspace.ts"

const MIB = 1024 * 1024
const SIZE = 32 * MIB
const UUID = "6a1e0f3c-2f6c-4c55-9b53-0d7a3c1f8e21"

/** A machine as those who manage machines start it. */
interface Style {
  readonly machine: string
  readonly args: ReadonlyArray<string>
}

const words = (text: string): ReadonlyArray<string> => text.trim().split(/\s+/)

/** Firmware in flash, memory with a name of its own, everything virtio, and a QEMU that lives on when its guest has ended. */
const libvirt = (type: string, space: Workspace.Workspace, name: string): Style => {
  const flash = ["code", "vars"].map((part) => {
    const path = space.file(`${name}-${part}`)
    Fs.writeFileSync(path, Buffer.alloc(part === "code" ? 2 * MIB : MIB / 2))
    return path
  })
  return {
    machine: `${type},usb=off,dump-guest-core=off,pflash0=flash0,pflash1=flash1`,
    args: words(`
      -name guest=vm,debug-threads=on -uuid ${UUID} -smp 2,sockets=2,cores=1,threads=1 -overcommit mem-lock=off
      -no-user-config -rtc base=utc -no-shutdown -boot strict=on
      -blockdev {"driver":"file","filename":"${flash[0]}","node-name":"flash0","read-only":true}
      -blockdev {"driver":"file","filename":"${flash[1]}","node-name":"flash1"}
      -device virtio-scsi-pci,id=scsi0 -device virtio-serial-pci,id=serial0 -netdev hubport,id=net0,hubid=0
      -device virtio-net-pci,netdev=net0,id=nic0,mac=52:54:00:12:34:56 -device virtio-vga,id=video0,max_outputs=1
      -device virtio-balloon-pci,id=balloon0 -object rng-random,id=rng0,filename=/dev/urandom
      -device virtio-rng-pci,rng=rng0,id=rng -msg timestamp=on`)
  }
}

/** The uuid in the firmware's tables, more processors than are plugged in, VGA. */
const proxmox = (type: string): Style => ({
  machine: type,
  args: words(`
    -name vm,debug-threads=on -no-shutdown -smbios type=1,uuid=${UUID} -smp 2,sockets=1,cores=4,maxcpus=4
    -boot menu=on,strict=on -vnc none -cpu qemu64,+aes,enforce=off -device VGA,id=vga -device virtio-balloon-pci,id=balloon0
    -device virtio-scsi-pci,id=scsihw0 -netdev hubport,id=net0,hubid=0
    -device virtio-net-pci,mac=BC:24:11:00:00:01,netdev=net0,id=net0d,rx_queue_size=1024,tx_queue_size=256`)
})

const styles = { libvirt, proxmox }

/** The machine `name` of a style, with a client at its monitor. */
const start = Effect.fnUntraced(function* (
  space: Workspace.Workspace,
  options: {
    qemu: Qemu.Qemu
    name: string
    style: Style
    incoming?: boolean
    size?: number
    args?: ReadonlyArray<string>
  }
) {
  const { args = [], incoming = false, name, qemu, size = SIZE, style } = options
  const [ram, socket] = [space.ram(`${name}-ram`), space.file(`${name}-qmp`)]
  Fs.writeFileSync(ram, Buffer.alloc(size))
  yield* Guest.start({
    qemu,
    machine: style.machine,
    ram: { file: ram, size },
    kvm: false,
    incoming,
    args: [...style.args, "-qmp", `unix:${socket},server=on,wait=off`, ...args]
  })
  return { ram, qmp: yield* QmpClient.make({ address: SocketAddress.unix(socket) }) }
})

const machinesOf = (version: string) => (qemu: Qemu.Qemu) => {
  for (const type of [`pc-i440fx-${version}`, `pc-q35-${version}`]) {
    for (const [name, style] of Object.entries(styles)) {
      itSpace(`${name}, ${type}: captured and resumed with its uuid, and its memory is there`, function* (space) {
        const vm = yield* start(space, { qemu, name: "vm", style: style(type, space, "vm") })
        yield* QmpCommands.cont(vm.qmp)
        yield* Effect.sleep("1 second")
        yield* Capture.run({ qmp: vm.qmp, target: space.file("image"), leave: "paused" })
        const image = yield* Image.open(space.file("image"))
        assert.strictEqual(image.machine, type)
        assert.strictEqual(image.runState, "paused")
        assert.strictEqual(image.notes.uuid, UUID)

        const fresh = yield* start(space, { qemu, name: "fresh", style: style(type, space, "fresh"), incoming: true })
        const resumed = yield* Resume.run({ qmp: fresh.qmp, source: image, paused: true })
        assert.strictEqual(resumed.runState, "paused")
        assert.strictEqual(Files.firstDifference(vm.ram, fresh.ram), undefined)
        yield* QmpCommands.cont(fresh.qmp)
        assert.isTrue((yield* QmpCommands.queryStatus(fresh.qmp)).running)
      })
    }
  }
}

for (const version of ["10.0", "11.1"]) {
  describeQemus("the machines of libvirt and Proxmox", [version], machinesOf(version))
}
