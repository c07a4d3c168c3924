import { assert, describe, it } from "@effect/vitest"
import type { Image, ImageBlock } from "../../../src/image/Image.ts"
import * as Destination from "../../../src/qemu/internal/destination.ts"
import * as RamBlockTable from "../../../src/qemu/internal/ramBlockTable.ts"

const MIB = 1024 * 1024
const UUID = "12345678-1234-1234-1234-123456789abc"
const bytesOf = (byte: number) => new Uint8Array(16).fill(byte)

const block = (idstr: string, usedLength: number) => ({ idstr, usedLength }) as ImageBlock
const section = (name: string, instanceId: number) => ({
  name,
  instanceId,
  version: 1,
  sectionId: 16 + instanceId,
  data: new Uint8Array(0)
})

/** As much of an image as is compared. */
const image = (of: Partial<Image>): Image =>
  ({
    name: "vm.img",
    machine: "pc",
    runState: "running",
    machineState: { configuration: undefined },
    notes: {},
    deviceSections: [],
    blocks: [block("pc.ram", 64 * MIB), block("vga.vram", 16 * MIB), block("/rom@etc/acpi/tables", 128 * 1024)],
    ...of
  }) as Image

const fitting: Destination.Destination = {
  uuid: bytesOf(0),
  cpus: 2,
  memory: 64 * MIB,
  blocks: [
    { idstr: "pc.ram", usedLength: 64 * MIB, maxLength: 64 * MIB },
    { idstr: "vga.vram", usedLength: 16 * MIB, maxLength: 16 * MIB },
    { idstr: "/rom@etc/acpi/tables", usedLength: 128 * 1024, maxLength: 2 * MIB }
  ]
}
const options = { machine: "pc", paused: false, newIdentity: false, allowLost: false }

const problems = (
  of: Partial<Image>,
  there: Partial<Destination.Destination> = {},
  others: Partial<typeof options> = {}
) => Destination.problemsOf(image(of), { ...fitting, ...there }, { ...options, ...others })

const withLength = (idstr: string, usedLength: number, maxLength = usedLength) => ({
  blocks: fitting.blocks!.map((other) => (other.idstr === idstr ? { idstr, usedLength, maxLength } : other))
})

describe("what an image has to fit", () => {
  it("fits where nothing differs", () => assert.deepStrictEqual(problems({}), []))

  it("the machine type, where the image has one", () => {
    assert.deepStrictEqual(problems({}, {}, { machine: "q35" }), [
      { reason: "vm.img is a machine pc, and QEMU's is q35", remedy: "start QEMU with -machine pc" }
    ])
    assert.deepStrictEqual(problems({ machine: undefined }, {}, { machine: "q35" }), [])
  })

  it("firmware tables may have any length for which there is room, other blocks their own only", () => {
    const tables = "/rom@etc/acpi/tables"
    for (const [idstr, used, max, fits] of [
      [tables, 4096, 2 * MIB, true],
      [tables, 256 * 1024, 256 * 1024, true],
      [tables, 128 * 1024, 128 * 1024, true],
      [tables, 4096, 64 * 1024, false],
      [tables, 64 * 1024, 64 * 1024, false],
      ["vga.vram", 8 * MIB, 8 * MIB, false],
      ["vga.vram", 32 * MIB, 32 * MIB, false],
      ["vga.vram", 8 * MIB, 16 * MIB, true]
    ] as const) {
      assert.lengthOf(problems({}, withLength(idstr, used, max)), fits ? 0 : 1, `${idstr} ${used} ${max}`)
    }
  })

  it("without the blocks, the memory has to lie between the largest block and all of them", () => {
    const all = 80 * MIB + 128 * 1024
    for (const [memory, fits] of [
      [64 * MIB - 1, false],
      [64 * MIB, true],
      [all, true],
      [all + 1, false]
    ] as const) {
      const found = problems({}, { blocks: undefined, memory })
      assert.deepStrictEqual(
        found.map(({ reason }) => reason),
        fits ? [] : [`the guest has ${memory} bytes of RAM, and that of vm.img has ${64 * MIB} to ${all}`]
      )
    }
  })

  for (const name of ["cpu", "cpu_common"]) {
    it(`vCPUs are counted by the sections ${name}`, () => {
      const deviceSections = [section("timer", 0), section(name, 0), section(name, 1)]
      assert.deepStrictEqual(problems({ deviceSections }), [])
      assert.deepStrictEqual(problems({ deviceSections }, { cpus: undefined }), [])
      assert.deepStrictEqual(problems({ deviceSections }, { cpus: 1 }), [
        { reason: "vm.img has 2 vCPUs, and QEMU has 1", remedy: "start QEMU with -smp 2" }
      ])
    })
  }

  it("the uuid of the notes, or of the configuration; zeros are none", () => {
    const noted = { notes: { uuid: UUID } }
    const configured = (uuid: Uint8Array) =>
      ({ machineState: { configuration: { machine: "pc", capabilities: [], uuid } } }) as unknown as Partial<Image>
    assert.lengthOf(problems(noted), 1)
    assert.lengthOf(problems(noted, {}, { newIdentity: true }), 0)
    assert.lengthOf(problems(noted, { uuid: undefined }), 0)
    assert.lengthOf(problems(configured(bytesOf(5)), { uuid: bytesOf(5) }), 0)
    assert.include(
      problems(configured(bytesOf(5)), { uuid: bytesOf(6) })[0]?.reason,
      "05050505-0505-0505-0505-050505050505"
    )
    assert.lengthOf(problems(configured(bytesOf(0)), { uuid: bytesOf(6) }), 0)
    assert.lengthOf(problems({ ...configured(bytesOf(5)), ...noted }, { uuid: bytesOf(5) }), 1)
  })

  it("run states in which a guest can go on", () => {
    for (const runState of [undefined, "running", "paused", "prelaunch", "io-error", "postmigrate"]) {
      assert.deepStrictEqual(problems({ runState }), [])
    }
    assert.lengthOf(problems({ runState: "shutdown" }), 1)
    assert.lengthOf(problems({ runState: "shutdown" }, {}, { paused: true }), 0)
  })

  it("all that is wrong is said", () => {
    const lost = [{ idstr: "pc.ram", pages: 3 }]
    const all = { machine: "q35" }
    assert.lengthOf(problems({ runState: "shutdown", notes: { uuid: UUID, lost } }, withLength("pc.ram", 1), all), 5)
  })
})

describe("QEMU's table of RAM blocks", () => {
  it("is read in the forms of all versions", () => {
    const table =
      "              Block Name    PSize              Offset               Used              Total\n" +
      "                  pc.ram    2 MiB  0x0000000000000000 0x0000000004000000 0x0000000004000000\n" +
      " 0000:00:02.0/a long name    4 KiB  0x0000000004080000 0x0000000001000000 0x0000000002000000 0x00007fd2fac00000  rw\r\n" +
      "                            4 KiB  0x0000000004080000 0x0000000001000000 0x0000000001000000\n" +
      "nothing\n"
    assert.deepStrictEqual(RamBlockTable.parse(table), [
      { idstr: "pc.ram", usedLength: 64 * MIB, maxLength: 64 * MIB, hostPageSize: 2 * MIB },
      { idstr: "0000:00:02.0/a long name", usedLength: 16 * MIB, maxLength: 32 * MIB }
    ])
    assert.deepStrictEqual(RamBlockTable.parse(""), [])
  })
})
