import { assert, describe, it } from "@effect/vitest"
import * as Result from "effect/Result"
import * as Parser from "../../../src/format/Parser.ts"
import * as ForeignFile from "../../../src/format/image/ForeignFile.ts"
import * as ImageStream from "../../../src/format/image/ImageStream.ts"
import * as MigrationStream from "../../../src/format/stream/MigrationStream.ts"

const bytes = (digits: string): Buffer => Buffer.from(digits.replaceAll(" ", ""), "hex")
const text = (value: string): Buffer => Buffer.from(value, "latin1")
const at = (position: number, part: Buffer): Buffer => Buffer.concat([Buffer.alloc(position), part])

/** As these files begin. */
const heads: ReadonlyArray<readonly [kind: string, head: Buffer]> = [
  ["empty", Buffer.alloc(0)],
  ["qcow2", bytes("51 46 49 fb 00 00 00 03")],
  ["elf-core", bytes("7f 45 4c 46 02 01 01 00 00 00 00 00 00 00 00 00 04 00 3e 00")],
  ["elf-core", bytes("7f 45 4c 46 02 02 01 00 00 00 00 00 00 00 00 00 00 04 00 16")],
  ["elf", bytes("7f 45 4c 46 02 01 01 00 00 00 00 00 00 00 00 00 03 00 3e 00")],
  ["elf", bytes("7f 45 4c 46 02 02 01 00 00 00 00 00 00 00 00 00 04 00 3e 00")],
  ["kdump", text("KDUMP   \x06\0\0\0")],
  ["kdump", text("makedumpfile\0\0\0\0")],
  ["windows-dump", text("PAGEDU64")],
  ["gzip", bytes("1f 8b 08 00")],
  ["zstd", bytes("28 b5 2f fd 04 58")],
  ["xz", bytes("fd 37 7a 58 5a 00 00 04")],
  ["bzip2", text("BZh91AY&SY")],
  ["lzop", bytes("89 4c 5a 4f 00 0d 0a 1a 0a")],
  ["lz4", bytes("04 22 4d 18 64")],
  ["zip", bytes("50 4b 03 04")],
  ["tar", Buffer.concat([text("vm.img"), Buffer.alloc(251), text("ustar\x0000")])],
  ["vmware-disk", text("KDMV\x01\0\0\0")],
  ["vmware-disk", text("# Disk DescriptorFile\nversion=1")],
  ["vmware-state", bytes("d2 be d2 be 08 00 00 00")],
  [
    "virtualbox-disk",
    Buffer.concat([text("<<< Oracle VM VirtualBox Disk Image >>>\n".padEnd(64, "\0")), bytes("7f 10 da be")])
  ],
  ["virtualbox-state", text("\x7fVirtualBox SavedState V2.0\n\0\0\0")],
  ["hyper-v-disk", text("vhdxfile")],
  ["firecracker", bytes("00 00 64 86 84 19 10 07 01 00")],
  ["firecracker", bytes("00 00 aa aa 84 19 10 07 01 00")],
  ["xen", text("LibxlFmt\0\0\0\x02")],
  ["luks", bytes("4c 55 4b 53 ba be 00 02")]
]

describe("a file that is no image of ours", () => {
  it.each(heads)("is recognised as %s by head %#", (kind, head) => {
    const found = ForeignFile.recognise(head)
    assert.strictEqual(found?.kind, kind)
    assert.isAbove(found!.wayOn.length, 10)
    // Behind its head may be anything, and all that is looked at is there.
    assert.strictEqual(
      ForeignFile.recognise(Buffer.concat([head, Buffer.alloc(600)]))?.kind,
      kind === "empty" ? undefined : kind
    )
    assert.isAtMost(head.length, ForeignFile.HEAD_LENGTH)
  })

  it.each(heads.filter(([kind]) => kind !== "empty"))(
    "is not taken for %s where a byte of the magic of head %# is missing",
    (kind, head) => {
      // All but the last byte that counts.
      for (let length = 1; length < head.length; length++) {
        const found = ForeignFile.recognise(head.subarray(0, length))
        assert.include([undefined, "elf", kind], found?.kind)
      }
      const changed = Buffer.from(head)
      const place = head.findIndex((byte) => byte !== 0)
      if (kind === "tar" || kind === "virtualbox-disk") changed[kind === "tar" ? 257 : 64]! ^= 0x80
      else changed[place]! ^= 0x80
      assert.isUndefined(ForeignFile.recognise(changed))
    }
  )

  it("is called by its name where an image was expected", () => {
    for (const [kind, head] of heads) {
      const { findings } = Parser.runSync(ImageStream.parse({ start: 0, fileSize: head.length }), head)
      const found = ForeignFile.recognise(head)!
      assert.lengthOf(findings, 1, kind)
      assert.include(findings[0], { code: "magic-wrong", offset: 0, found: ForeignFile.describe(found) })
    }
    const [unknown] = Parser.runSync(ImageStream.parse({ start: 0, fileSize: 4 }), text("What")).findings
    assert.include(unknown, { code: "magic-wrong", found: text("What").toString("hex") })
    const [elsewhere] = Parser.runSync(ImageStream.parse({ start: 7, fileSize: 20 }), at(7, bytes("1f 8b 08"))).findings
    assert.include(elsewhere, { offset: 7 })
    assert.match(elsewhere!.found, /gzip/)
  })

  it("is none where it is one that was cut off", () => {
    assert.isUndefined(ForeignFile.recognise(text("QEVM")))
    for (const head of [text("Q"), text("QEV"), MigrationStream.encodeFileHeader()]) {
      const [finding] = Parser.runSync(ImageStream.parse({ start: 0, fileSize: head.length }), head).findings
      assert.strictEqual(finding!.code, "stream-cut")
    }
  })

  it("is a plain stream where it has no mapped-ram, and the way on is named", () => {
    const configuration = MigrationStream.encodeConfiguration({
      machine: "pc-i440fx-10.0",
      capabilities: ["x-ignore-shared"]
    })
    const stream = Buffer.concat([MigrationStream.encodeFileHeader(), configuration, Buffer.alloc(64, 1)])
    const [finding] = Parser.runSync(ImageStream.parse({ start: 0, fileSize: stream.length }), stream).findings
    assert.strictEqual(finding!.code, "mapped-ram-missing")
    assert.match(finding!.found, /^x-ignore-shared, in a plain migration stream; multifd receive --channels 0/)
    assert.isTrue(Result.isSuccess(MigrationStream.decodeFileHeader(stream)))
  })
})
