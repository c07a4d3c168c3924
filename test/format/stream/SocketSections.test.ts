import { assert, describe, it } from "@effect/vitest"
import * as SocketSections from "../../../src/format/stream/SocketSections.ts"
import { concat, hex, text } from "../../support/bytes.ts"
import * as Fixtures from "../../support/wire/captured.ts"

const machine = (name: string) => ({ machine: name, capabilities: [] })

/** What stands in a capture in front of its pages. */
const beginsLike = (name: Fixtures.Name, head: Uint8Array) =>
  assert.deepStrictEqual(Fixtures.main(name).subarray(0, head.length), head)

const ram = [{ idstr: "ram", usedLength: 1024 * 1024 }]
const pc = [...ram, { idstr: "pc.rom", usedLength: 128 * 1024 }, { idstr: "pc.bios", usedLength: 64 * 1024 }]

describe("the sections of RAM on a main channel", () => {
  it("are those of QEMU with multifd", () => {
    const none = SocketSections.encodeHead({ configuration: machine("none") })
    const sectionId = 1
    const { encodeClose, encodeOpen, encodeStart } = SocketSections
    beginsLike(
      "none",
      concat(
        none,
        encodeStart({ sectionId, blocks: ram, flush: true }),
        encodeOpen("part", sectionId),
        encodeClose({ sectionId, flush: true }),
        hex("08 000b 0000"),
        encodeOpen("end", sectionId),
        encodeClose({ sectionId, flush: true })
      )
    )
  })

  it("are those of QEMU with an old machine type", () => {
    const head = SocketSections.encodeHead({ configuration: machine("pc-i440fx-8.0") })
    beginsLike("per-section", concat(head, SocketSections.encodeStart({ sectionId: 1, blocks: pc })))
  })

  it("have addresses if shared blocks are left out", () => {
    const configuration = { machine: "none", capabilities: ["x-ignore-shared"] }
    const head = SocketSections.encodeHead({ configuration })
    const start = SocketSections.encodeStart({ sectionId: 1, blocks: ram, addresses: true })
    beginsLike("ignore-shared", concat(head, start))
    const at = { idstr: "pc.bios", usedLength: 4096, address: 0xfffc0000 }
    const placed = SocketSections.encodeStart({ sectionId: 1, blocks: [at], addresses: true })
    assert.isTrue(Buffer.from(placed).includes(Buffer.from("00000000fffc0000", "hex")))
  })

  it("have commands in front of them with a return path", () => {
    const prelude = hex("08 0001 0000 08 0002 0004 00000001")
    beginsLike("return-path", SocketSections.encodeHead({ configuration: machine("none"), prelude }))
  })

  it("may be without footers", () => {
    const start = SocketSections.encodeStart({ sectionId: 1, blocks: [], footers: false })
    assert.deepStrictEqual(start, hex("01 00000001 03 72616d 00000000 00000004 0000000000000004 0000000000000010"))
  })
})

describe("the head of a main channel", () => {
  it("loses mapped-ram, which a connection cannot have, and nothing else", () => {
    const uuid = hex("00112233445566778899aabbccddeeff")
    const configuration = { machine: "none", capabilities: ["x-ignore-shared", "mapped-ram"], uuid }
    const head = SocketSections.encodeHead({ configuration })
    const expected = SocketSections.encodeHead({
      configuration: { ...configuration, capabilities: ["x-ignore-shared"] }
    })
    assert.deepStrictEqual(head, expected)
    assert.isFalse(Buffer.from(head).includes("mapped-ram"))
  })

  it("has no configuration where the image has none", () => {
    const prelude = text("prelude")
    const head = SocketSections.encodeHead({ configuration: undefined, prelude })
    assert.deepStrictEqual(head, concat(hex("5145564d 00000003"), prelude))
  })
})
