import { assert, describe, it } from "@effect/vitest"
import * as Parser from "../../../src/format/Parser.ts"
import type { Finding } from "../../../src/format/Finding.ts"
import * as ImageStream from "../../../src/format/image/ImageStream.ts"
import * as MigrationStream from "../../../src/format/stream/MigrationStream.ts"
import { between } from "../../support/arbitraries.ts"
import * as Bytes from "../../support/bytes.ts"
import * as Captures from "../../support/images/captures.ts"
import * as Images from "../../support/images/images.ts"
import * as SparseFile from "../../support/images/sparseFile.ts"

const { concat, hex } = Bytes

/** The digits of a u64. */
const u64 = (value: number) => value.toString(16).padStart(16, "0")

/** Everywhere in the stream, and in a page region. */
const cuts = (file: SparseFile.SparseFile): ReadonlyArray<number> =>
  [...file.pieces.flatMap(({ bytes, position }) => [...bytes.keys()].map((i) => position + i)), 0x100010].filter(
    (size) => size > 0
  )

/** Device state that says of one early section how long it is. */
const sized = (size: number) => concat(hex("00"), Images.description({ "early/device": size }))

describe("an image that QEMU wrote", () => {
  for (const [title, pieces] of Object.entries(Captures.heads)) {
    const start = pieces[0]!.position
    const file = SparseFile.make([...pieces, { position: Captures.END, bytes: concat(Captures.ramEnd, Images.state) }])

    it(`is read: ${title}`, () => {
      const image = Images.parse(file, start)
      assert.deepStrictEqual(image.findings, [])
      assert.strictEqual(image.totalLength, 0x2082000)
      assert.deepStrictEqual(
        image.blocks.map(({ header, idstr, usedLength }) => [idstr, usedLength, header.pagesOffset]),
        [
          ["m", 0x2000000, 0x100000],
          ["/rom@etc/acpi/tables", 0x20000, 0x2200000],
          ["pc.bios", 0x40000, 0x2300000],
          ["pc.rom", 0x20000, 0x2400000],
          ["/rom@etc/table-loader", 0x1000, 0x2500000],
          ["/rom@etc/acpi/rsdp", 0x1000, 0x2600000]
        ]
      )
      assert.strictEqual(image.stateStart, Captures.END + Captures.ramEnd.length)
      assert.isTrue(image.switchoverStart && image.footers)
    })

    it(`is written byte for byte: ${title}`, () => {
      const { blocks, configuration } = Images.parse(file, start)
      const shapes = blocks.map((block) => ({ ...block, pageSize: block.header.pageSize }))
      const head = ImageStream.head({ start, configuration, blocks: shapes })
      assert.deepStrictEqual(head.pieces, pieces)
      assert.deepStrictEqual(head.blocks, blocks)
      assert.strictEqual(head.end, Captures.END)
    })
  }

  it("has the addresses of its blocks if it was saved with x-ignore-shared", () => {
    const pieces = Captures.heads["x-ignore-shared, with private blocks only"]
    const image = Images.parse(SparseFile.make([...pieces, { position: Captures.END, bytes: Captures.ramEnd }]))
    assert.deepStrictEqual(
      image.blocks.map(({ address }) => address),
      [0, 0, 0xfffc0000, 0xc0000, 0, 0]
    )
    assert.isTrue(image.blocks.every(({ ignored }) => !ignored))
  })

  it("may be of a machine without footers", () => {
    const tail = { position: Captures.END, bytes: Captures.ramEndWithoutFooters }
    const image = Images.parse(SparseFile.make([...Captures.heads.plain, tail]))
    assert.deepStrictEqual(image.findings, [])
    assert.isFalse(image.footers)
    assert.strictEqual(image.stateStart, Captures.END + Captures.ramEndWithoutFooters.length)
  })

  it("may have an early section, which the description sizes", () => {
    const early = "0000:00:01.0/virtio-mem-device-early"
    const [startEnd, rest] = [Captures.ramEnd.subarray(0, 13), Captures.ramEnd.subarray(13)]
    const state = concat(hex("00"), Images.description({ [early]: 44 }))
    const tail = { position: Captures.END, bytes: concat(startEnd, Captures.earlySection, rest, state) }
    const image = Images.parse(SparseFile.make([...Captures.heads.plain, tail]))
    assert.deepStrictEqual(image.findings, [])
    assert.deepStrictEqual(image.early, [{ position: Captures.END + 13, length: 99 }])
    assert.strictEqual(image.stateStart, Captures.END + 13 + 99 + rest.length)
  })
})

describe("an image with shared blocks left out", () => {
  const configuration = MigrationStream.withCapability(Images.configuration, "x-ignore-shared", true)
  const blocks: ReadonlyArray<ImageStream.HeadBlock> = [
    { idstr: "m", usedLength: 0x2000000, pageSize: 4096, ignored: true },
    { idstr: "pc.bios", usedLength: 4096, pageSize: 4096, address: 0xfffc0000 },
    { idstr: "last", usedLength: 4096, pageSize: 4096, ignored: true }
  ]
  const file = Images.make({ configuration, blocks })

  it("has their entries as QEMU 11.1 writes them", () => {
    const entry = hex(`01 6d 0000000002000000 0000000000000000
      00000001 0000000000001000 0000000000000000 0000000000000000  07 70632e62696f73`)
    assert.isTrue(Buffer.from(file.pieces[0]!.bytes).includes(Buffer.from(entry)))
  })

  it("is read", () => {
    const image = Images.parse(file)
    assert.deepStrictEqual(image.findings, [])
    assert.deepStrictEqual(
      image.blocks.map(({ address, ignored }) => [address, ignored]),
      [
        [0, true],
        [0xfffc0000, false],
        [0, true]
      ]
    )
  })

  it("may leave out all of them", () => {
    const all = blocks.map((block) => ({ ...block, ignored: true }))
    assert.deepStrictEqual(Images.codes(Images.make({ configuration, blocks: all })), [])
  })

  it("may come without the configuration that says so", () => {
    const addressed = Images.make({ configuration: undefined, blocks: [{ ...blocks[1]! }, blocks[2]!] })
    const image = Images.parse(addressed)
    assert.deepStrictEqual(image.findings, [])
    assert.deepStrictEqual(
      image.blocks.map(({ address, ignored }) => [address, ignored]),
      [
        [0xfffc0000, false],
        [0, true]
      ]
    )
  })

  it("is told from one without addresses by the page size", () => {
    for (const address of [undefined, 0x1000]) {
      const blocks = [{ idstr: "m", usedLength: 0x100000, pageSize: 0x10000, address }]
      const image = Images.parse(Images.make({ configuration: undefined, blocks }))
      assert.deepStrictEqual(image.findings, [])
      assert.strictEqual(image.blocks[0]!.address, address)
    }
  })

  it("is what offsets of 0 mean, and only with x-ignore-shared", () => {
    const zeros = { version: 1, pageSize: 4096, bitmapOffset: 0, pagesOffset: 0 }
    const file = Images.place([{ idstr: "m", usedLength: 4096, header: zeros }])
    const image = Images.parse(file)
    assert.isFalse(image.blocks[0]!.ignored)
  })
})

describe("whatever a writer is free to do", () => {
  const page = 4096
  const header = (bitmapOffset: number, pagesOffset: number, version = 1) => ({
    version,
    pageSize: page,
    bitmapOffset,
    pagesOffset
  })

  const free: Readonly<Record<string, SparseFile.SparseFile>> = {
    "regions at any page": Images.place([
      { idstr: "a", usedLength: page, header: header(1000, page) },
      { idstr: "b", usedLength: page, header: header(2000, 3 * page) }
    ]),
    "bitmaps behind the stream": Images.place([{ idstr: "a", usedLength: page, header: header(50_000, 2 * page) }]),
    "regions backwards": Images.place([
      { idstr: "a", usedLength: page, header: header(1000, 10 * page) },
      { idstr: "b", usedLength: page, header: header(1008, 4 * page) }
    ]),
    "header version 0": Images.place([{ idstr: "a", usedLength: page, header: header(1000, page, 0) }]),
    "another section id": Images.make({ sectionId: 7777 }),
    "no SWITCHOVER_START": Images.make({ switchoverStart: false }),
    "no description": Images.make({ state: hex("00") }),
    "commands in front": Images.make({ prelude: hex("08 0001 0000  08 0002 0004 00000001  08 0003 0000") }),
    "a ping in between": Images.make({ early: hex("08 0002 0004 00000003") }),
    "no blocks": Images.make({ blocks: [] }),
    "target page bits": Images.make({ configuration: { ...Images.configuration, targetPageBits: 12 } }),
    "a stream at an offset": Images.make({ start: 12345 }),
    "many PARTs": Images.make({ early: concat(...Array(100).fill(hex("02 00000001 0000000000000010 7e 00000001"))) })
  }

  for (const [title, file] of Object.entries(free)) {
    it(`is accepted: ${title}`, () => {
      const image = Images.parse(file, title.includes("offset") ? 12345 : 0)
      assert.deepStrictEqual(image.findings, [])
      assert.isDefined(image.stateStart)
    })
  }

  it("leaves commands where they were", () => {
    const prelude = hex("08 0001 0000")
    const ping = hex("08 0002 0004 00000003")
    const file = Images.make({ prelude, early: ping })
    const image = Images.parse(file)
    assert.deepStrictEqual(SparseFile.read(file, image.prelude.position, image.prelude.length), prelude)
    assert.strictEqual(image.early.length, 1)
    assert.deepStrictEqual(SparseFile.read(file, image.early[0]!.position, image.early[0]!.length), ping)
  })
})

describe("device sections in front of RAM's END", () => {
  it("are sized in front of RAM's START as well", () => {
    const file = Images.make({ prelude: Images.early })
    const image = Images.parse(file)
    assert.deepStrictEqual(image.findings, [])
    assert.strictEqual(image.prelude.length, Images.early.length)
  })

  it("are sized without footers", () => {
    const bare = Images.early.subarray(0, -5)
    const bareState = concat(hex("00"), Images.description({ "early/device": 8 }))
    for (const place of ["prelude", "early"]) {
      const image = Images.parse(Images.make({ [place]: bare, footers: false, state: bareState }))
      assert.deepStrictEqual(image.findings, [])
    }
  })

  const unsized: Readonly<Record<string, Uint8Array>> = {
    "no description": hex("00"),
    "a description that is cut short": Images.state.subarray(0, -1),
    "a description without it": concat(hex("00"), Images.description({ timer: 12 })),
    "a description that cannot be read": concat(hex("00 06 00000007"), Bytes.text(`{"a":1}`))
  }

  for (const [reason, state] of Object.entries(unsized)) {
    it(`cannot be passed over with ${reason}`, () => {
      const { findings } = Images.parse(Images.make({ early: Images.early, state }))
      assert.deepStrictEqual(
        findings.map(({ code }) => code),
        ["early-section-unsized"]
      )
      assert.include(findings[0]!.found, reason)
    })
  }

  it("are cut with the file, or end elsewhere than the description says", () => {
    const sizes = [8, 0, 100_000, Number.MAX_SAFE_INTEGER]
    assert.deepStrictEqual(
      sizes.map((size) => Images.codes(Images.make({ early: Images.early, state: sized(size) }))),
      [[], ["footer-missing"], ["stream-cut"], ["stream-cut"]]
    )
  })
})

describe("a damaged image", () => {
  const sound = Images.make()
  const ram = Images.block(sound, "pc.ram")
  const bios = Images.block(sound, "pc.bios")
  const afterRegions = sound.pieces.at(-1)!.position
  const total = ram.entryPosition - 8
  const start = total - 17
  const unconfigured = Images.make({ configuration: undefined })
  const at = (position: number, digits: string) => SparseFile.patch(sound, position, hex(digits))
  const version2 = at(ram.headerPosition, "00000002")
  const pageSize = (value: string) => at(ram.headerPosition + 4, value)
  const sameName = SparseFile.patch(
    sound,
    bios.entryPosition,
    Images.entry({ ...bios, idstr: "pc.ram", header: { ...bios.header, bitmapOffset: bios.header.bitmapOffset - 1 } })
  )

  const damages: ReadonlyArray<readonly [string, SparseFile.SparseFile, ReadonlyArray<string>]> = [
    ["no magic", at(0, "00"), ["magic-wrong"]],
    ["an empty file", SparseFile.make([]), ["magic-wrong"]],
    ["stream version 2", at(4, "00000002"), ["stream-version-unsupported"]],
    [
      "a stream without mapped-ram",
      Images.make({ configuration: { machine: "pc", capabilities: ["multifd"] } }),
      ["mapped-ram-missing"]
    ],
    [
      "a stream without any capability",
      Images.make({ configuration: { machine: "pc", capabilities: [] } }),
      ["mapped-ram-missing"]
    ],
    [
      "a capability from elsewhere",
      Images.make({ configuration: { machine: "pc", capabilities: ["mapped-ram", "teleport"] } }),
      ["capability-unknown"]
    ],
    ["a postcopy command", Images.make({ prelude: hex("08 0004 0000") }), ["command-unsupported"]],
    ["command 0", Images.make({ prelude: hex("08 0000 0000") }), ["command-corrupt"]],
    ["an unknown command", Images.make({ prelude: hex("08 000c 0000") }), ["command-corrupt"]],
    ["a ping without its number", Images.make({ prelude: hex("08 0002 0000") }), ["command-corrupt"]],
    ["something else than START", at(start, "02"), ["section-unexpected"]],
    ["another section that comes in parts", at(start + 5, "03 72616e"), ["iterable-unsupported"]],
    [
      "another one behind RAM's START",
      Images.make({ early: hex("01 00000009 02 7878 00000000 00000001") }),
      ["iterable-unsupported"]
    ],
    ["RAM with an instance id", at(start + 9, "00000001"), ["ram-instance-wrong"]],
    ["RAM of version 5", at(start + 13, "00000005"), ["ram-version-unsupported"]],
    ["START without a block list", at(total, "0000000000000010"), ["block-list-missing"]],
    ["START with MULTIFD_FLUSH first", at(total, "0000000000000200"), ["block-list-missing"]],
    ["a total that is too large", at(total, u64(104 * 4096 + 4)), ["total-mismatch"]],
    ["a total that is too small", at(total, u64(102 * 4096 + 4)), ["total-mismatch"]],
    ["a total of the first block only", at(total, u64(100 * 4096 + 4)), ["total-mismatch"]],
    ["a block twice", sameName, ["block-duplicated"]],
    [
      "a length of half a page",
      at(ram.headerPosition - 8, u64(2048)),
      ["total-mismatch", "length-not-whole-pages", "ram-record-unexpected"]
    ],
    [
      "a page region between pages",
      Images.place([{ ...ram, header: { ...ram.header, pagesOffset: 5000 } }]),
      ["pages-misaligned"]
    ],
    [
      "a name with a zero byte",
      Images.make({ blocks: [{ idstr: "a\0b", usedLength: 4096, pageSize: 4096 }] }),
      ["name-invalid"]
    ],
    ["a name that is no text", at(ram.entryPosition + 1, "c328"), ["name-invalid"]],
    [
      "target page bits of another page size",
      Images.make({ configuration: { ...Images.configuration, targetPageBits: 13 } }),
      ["page-size-wrong", "page-size-wrong", "page-size-wrong", "length-not-whole-pages"]
    ],
    ["page size 0 everywhere", Images.place([{ ...ram, header: { ...ram.header, pageSize: 0 } }]), ["page-size-zero"]],
    [
      "page size 512 everywhere",
      Images.place([{ ...ram, header: { ...ram.header, pageSize: 512 } }]),
      ["page-size-wrong"]
    ],
    ["no configuration and no header", SparseFile.patch(unconfigured, 40, new Uint8Array(40)), ["mapped-ram-missing"]],
    ["header version 2", version2, ["header-version-unsupported"]],
    ["page size 0", pageSize("0000000000000000"), ["page-size-zero"]],
    ["page size 8192", pageSize("0000000000002000"), ["page-size-wrong"]],
    ["page size 4097", pageSize("0000000000001001"), ["page-size-wrong"]],
    ["page size 2^53", pageSize("0020000000000000"), ["number-too-large"]],
    ["pages_offset 2^53", at(ram.headerPosition + 20, "0020000000000000"), ["number-too-large"]],
    ["pages_offset just below 2^53", at(ram.headerPosition + 20, "001ffffffffff000"), ["number-too-large"]],
    ["pages_offset behind the file", at(ram.headerPosition + 20, "0000000001000000"), ["stream-cut"]],
    [
      "a block list in a circle",
      at(bios.headerPosition + 20, u64(bios.entryPosition - bios.usedLength)),
      ["records-loop"]
    ],
    ["a ZERO record", at(afterRegions, "0000000000000002"), ["ram-record-unexpected"]],
    ["a PAGE record", at(afterRegions, "0000000000000008"), ["ram-record-unexpected"]],
    ["a record without flags", at(afterRegions, "0000000000000000"), ["ram-record-unexpected"]],
    ["a MULTIFD_FLUSH record", at(afterRegions, "0000000000000200"), ["ram-record-unexpected"]],
    ["a lone CONTINUE", at(afterRegions, "0000000000000020"), ["ram-record-unexpected"]],
    ["a second block list", at(afterRegions, "0000000000001004"), ["ram-record-unexpected"]],
    ["a footer of another section", at(afterRegions + 9, "00000002"), ["footer-mismatch"]],
    ["no footer behind START", at(afterRegions + 8, "7f"), ["section-unexpected"]],
    [
      "a part of another section",
      Images.make({ early: hex("02 00000009 0000000000000010 7e 00000009") }),
      ["section-id-unknown"]
    ],
    ["a part without its footer", Images.make({ early: hex("02 00000001 0000000000000010") }), ["footer-missing"]],
    ["a subsection between sections", Images.make({ early: hex("05 00000001") }), ["section-unexpected"]],
    ["a ZERO record in a part", Images.make({ early: hex("02 00000001 0000000000000002") }), ["ram-record-unexpected"]]
  ]

  for (const [title, file, codes] of damages) {
    it(`is found out: ${title}`, () => assert.deepStrictEqual(Images.codes(file), codes))
  }

  it("says which capabilities there are instead of mapped-ram", () => {
    const found = (capabilities: ReadonlyArray<string>) =>
      Images.parse(Images.make({ configuration: { machine: "pc", capabilities } })).findings[0]!.found
    assert.match(found([]), /^none, in a plain migration stream; multifd receive --channels 0/)
    assert.match(found(["multifd", "events"]), /^multifd, events, in a plain/)
  })

  it("has no more blocks than any machine", () => {
    const configuration = MigrationStream.withCapability(Images.configuration, "x-ignore-shared", true)
    const blocks = Array.from({ length: 65537 }, (_, i) => ({
      idstr: `${i}`,
      usedLength: 4096,
      pageSize: 4096,
      ignored: true
    }))
    const bytes = ImageStream.head({ configuration, blocks }).pieces[0]!.bytes
    const { findings } = Parser.runSync(ImageStream.parse({ start: 0, fileSize: bytes.length }), bytes)
    assert.deepStrictEqual(
      findings.map(({ code }) => code),
      ["block-limit-exceeded"]
    )
  })

  it("names a block by what can be its name, and by its place where nothing around it makes sense", () => {
    const nameIn = (file: SparseFile.SparseFile) => Images.parse(file).blocks.find(({ header }) => header)?.idstr
    const header = { ...ram.header, pageSize: 0 }
    assert.strictEqual(nameIn(Images.place([{ ...ram, header }])), "pc.ram")
    assert.strictEqual(nameIn(Images.place([{ ...ram, header: { ...ram.header, version: 2 } }])), "pc.ram")
    assert.match(nameIn(Images.place([{ ...ram, header: { ...header, version: 2 } }]))!, /^no block at byte \d+$/)
  })

  it("is sound to begin with", () => assert.deepStrictEqual(Images.codes(sound), []))
})

describe("an image that is cut", () => {
  const configuration = { ...Images.configuration, targetPageBits: 12, uuid: new Uint8Array(16).fill(7) }
  const prelude = hex("08 0001 0000  08 0002 0004 00000001  08 0003 0000")
  const wholes = {
    "with all there is in front of RAM": Images.make({ configuration, prelude }),
    "with an early section": Images.make({ early: Images.early }),
    "without configuration": Images.make({ configuration: undefined })
  }

  for (const [title, whole] of Object.entries(wholes)) {
    it(`is found to be cut, wherever that is: ${title}`, () => {
      const end = Images.parse(whole).stateStart!
      for (const size of cuts(whole).filter((size) => size < end)) {
        const { findings, stateStart } = Images.parse(SparseFile.cut(whole, size))
        assert.strictEqual(stateStart, undefined)
        assert.strictEqual(findings.length, 1)
        // Without the description, the early section has no length either.
        const [{ category, code, message }] = findings as [Finding]
        const expected = code === "early-section-unsized" ? "unsupported" : "truncated"
        assert.strictEqual(category, expected, `${message}, cut at ${size}`)
      }
    })
  }

  it("has lost RAM's END if it was cancelled", () => {
    const plain = Images.make()
    const position = plain.pieces.at(-1)!.position + 13
    assert.deepStrictEqual(Images.codes(SparseFile.cut(plain, position)), ["ram-end-missing"])
  })

  it("has lost RAM's END if it is a background snapshot", () => {
    const head = ImageStream.head({ configuration: Images.configuration, blocks: Images.fewBlocks })
    const part = hex("02 00000001 0000000000000010 7e 00000001")
    const bytes = concat(hex("0000000000000010 7e 00000001"), part, Images.state)
    assert.deepStrictEqual(Images.codes(SparseFile.make([...head.pieces, { position: head.end, bytes }])), [
      "ram-end-missing"
    ])
  })
})

describe("any image", () => {
  const options = {
    blocks: Images.blocks,
    start: between(0, 3),
    switchover: between(0, 1),
    footers: between(0, 1)
  }

  it.prop("comes back as it went", options, ({ blocks, footers, start, switchover }) => {
    const given = { start: start * 12345, switchoverStart: switchover === 1, footers: footers === 1, sectionId: 7 }
    const head = ImageStream.head({ ...given, configuration: Images.configuration, blocks })
    const image = Images.parse(Images.make({ ...given, blocks }), given.start)
    assert.deepStrictEqual(image.findings, [])
    assert.deepStrictEqual(image.blocks, head.blocks)
    assert.deepStrictEqual(image.configuration, Images.configuration)
    assert.strictEqual(image.ramSectionId, 7)
    assert.strictEqual(image.switchoverStart, given.switchoverStart)
    assert.strictEqual(image.footers, given.footers)
    assert.strictEqual(image.stateStart, head.end + ImageStream.end(given).length)
  })

  const mutated = { piece: between(0, 3), mutation: Bytes.mutation, length: between(0, 3) }

  it.prop(
    "is read in bounded steps, whatever is changed",
    mutated,
    ({ length, mutation, piece }) => {
      const file = Images.make({ early: Images.early })
      const pieces = file.pieces.map((it, i) => (i === piece ? { ...it, bytes: Bytes.mutate(it.bytes, mutation) } : it))
      Images.parse({ pieces, size: length === 0 ? 0x100000 : file.size })
    },
    { arbitrary: { runs: 500 } }
  )

  it.prop("is read in bounded steps, whatever it is", { bytes: Bytes.bytes(200) }, ({ bytes }) => {
    Images.parse(SparseFile.fromBytes(bytes))
    const head = Images.make().pieces[0]!.bytes
    Images.parse(SparseFile.fromBytes(concat(head, bytes)))
    Images.parse(SparseFile.fromBytes(concat(head.subarray(0, 74), bytes)))
  })
})
