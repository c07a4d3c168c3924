import { assert, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as Description from "../../src/format/devices/Description.ts"
import * as DeviceState from "../../src/format/devices/DeviceState.ts"
import * as DeviceTree from "../../src/format/devices/DeviceTree.ts"
import * as Image from "../../src/image/Image.ts"
import * as Fixtures from "../support/qemu/fixtures.ts"
import * as Guest from "../support/qemu/guest.ts"
import * as QemuImage from "../support/qemu/qemuImage.ts"
import { describeQemu } from "../support/qemu/suite.ts"

const DEVICES = [
  ["-smp", "4", "-chardev", "null,id=c", "-device", "isa-serial,chardev=c", "-device", "pvpanic", "-device", "vmgenid"],
  ["VGA", "e1000", "qemu-xhci", "usb-tablet", "intel-hda", "lsi53c895a"].flatMap((name) => ["-device", name]),
  ["net", "serial", "balloon", "rng", "scsi"].flatMap((name) => ["-device", `virtio-${name}-pci`])
].flat()

const machines: Record<string, Fixtures.Recipe> = {
  "a bare pc": {},
  "a pc with many devices": { args: DEVICES },
  "a q35 with many devices": { machine: "q35", args: DEVICES },
  "an old machine type": { machine: "pc-i440fx-8.0" },
  "a microvm": { machine: "microvm" },
  "a machine without section footers": { args: ["-global", "migration.send-section-footer=off"] }
}

/** What a device section says, by way of the image's own description. */
const decode = (image: Image.Image, section: DeviceState.DeviceSection) => {
  const device = Description.find(image.description!, section.name, section.instanceId)
  return Result.getOrThrow(DeviceState.decode(section, device!))
}

/** A register as QEMU's monitor prints it, such as `EIP=0000fff0`. */
const register = (text: string, name: string): number => parseInt(new RegExp(`${name}=([0-9a-f]+)`).exec(text)![1]!, 16)

describeQemu("the device state of", () => {
  layer(Fixtures.layer, { excludeTestServices: true })((it) => {
    for (const [name, recipe] of Object.entries(machines)) {
      it.effect(`${name} comes apart to the last byte`, () =>
        Effect.gen(function* () {
          const { path } = yield* (yield* Fixtures.Fixtures).saved(recipe)
          const image = yield* Image.open(path)
          assert.deepStrictEqual(image.findings, [])
          assert.isAbove(image.deviceSections.length, 10)
          assert.strictEqual(image.deviceSections.length, image.description!.devices.length)
          for (const section of image.deviceSections) {
            const { fields, subsections } = decode(image, section)
            assert.isAbove(fields.length + subsections.length, 0, section.name)
          }
        })
      )
    }

    it.effect("a pc with many devices is the same to the byte when it is put together again", () =>
      Effect.gen(function* () {
        const { path } = yield* (yield* Fixtures.Fixtures).saved({ args: DEVICES })
        const image = yield* Image.open(path)
        const again = Buffer.from(DeviceState.encode(image.deviceSections))
        assert.isTrue(again.equals(QemuImage.deviceState(QemuImage.read(path))))
      })
    )

    it.effect("a processor has the registers that QEMU's monitor shows", () =>
      Effect.gen(function* () {
        const { path, ram } = yield* (yield* Fixtures.Fixtures).saved({})
        const guest = yield* Guest.start({ ram })
        const shown = String(yield* guest.qmp.execute("human-monitor-command", { "command-line": "info registers" }))
        const image = yield* Image.open(path)
        const cpu = decode(
          image,
          image.deviceSections.find((section) => section.name === "cpu")!
        )
        assert.strictEqual(DeviceTree.get(cpu, "env.eip"), BigInt(register(shown, "EIP")))
        assert.strictEqual(DeviceTree.get(cpu, "env.regs", 2), BigInt(register(shown, "EDX")))
        assert.strictEqual(DeviceTree.get(cpu, "env.cr[0]"), BigInt(register(shown, "CR0")))
        assert.strictEqual(DeviceTree.get(cpu, "env.mxcsr"), register(shown, "MXCSR"))
      })
    )
  })
})
