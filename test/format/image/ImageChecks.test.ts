import { assert, describe, it } from "@effect/vitest"
import * as ImageChecks from "../../../src/format/image/ImageChecks.ts"
import type { ParsedImage } from "../../../src/format/image/ImageStream.ts"
import { stateLimit } from "../../../src/format/image/internal/parts.ts"
import * as MappedRam from "../../../src/format/image/MappedRam.ts"
import * as PageBitmap from "../../../src/ram/PageBitmap.ts"
import * as Images from "../../support/images/images.ts"
import type { SparseFile } from "../../support/images/sparseFile.ts"

const PAGE = 4096

/** The stream's tail is what a file is built of last. */
const endOfStream = ({ pieces }: SparseFile): number => pieces.at(-1)!.position + pieces.at(-1)!.bytes.length

const check = (file: SparseFile, image: ParsedImage = Images.parse(file)) =>
  ImageChecks.checkRegions({ image, fileSize: file.size, streamEnd: endOfStream(file) })

const placed = (
  idstr: string,
  bitmapOffset: number,
  pagesOffset: number,
  pages = 1,
  pageSize = PAGE
): Images.Placed => ({
  idstr,
  usedLength: pages * PAGE,
  header: { version: 1, pageSize, bitmapOffset, pagesOffset }
})

const codes = (file: SparseFile) => check(file).map(({ block, code }) => `${code} ${block}`)

describe("the regions of an image", () => {
  it("are sound where QEMU puts them", () => assert.deepStrictEqual(check(Images.make()), []))

  it("are sound in any order, and with anything around them", () => {
    const backwards = [placed("a", 60_000, 10 * PAGE), placed("b", 1000, 2 * PAGE)]
    assert.deepStrictEqual(codes(Images.place(backwards)), ["bitmap-past-end a"])
    assert.deepStrictEqual(codes(Images.place([placed("a", 8192, 10 * PAGE), placed("b", 1000, 4 * PAGE)])), [])
  })

  it("may be none", () => {
    assert.deepStrictEqual(check(Images.make({ blocks: [] })), [])
    const nothing = Images.parse(Images.make({ blocks: [] }))
    assert.deepStrictEqual(ImageChecks.checkRegions({ image: { ...nothing, stateStart: undefined }, fileSize: 0 }), [])
  })

  const overlapping: Readonly<Record<string, ReadonlyArray<Images.Placed>>> = {
    "two bitmaps": [placed("a", 1000, 4 * PAGE), placed("b", 1007, 8 * PAGE)],
    "a bitmap and its own pages": [placed("b", 4 * PAGE + 1, 4 * PAGE)],
    "a bitmap and its own entry": [placed("b", 100, 4 * PAGE)],
    "a bitmap and the stream's head": [placed("b", 0, 4 * PAGE)],
    "a bitmap and the stream's tail": [placed("b", 5 * PAGE, 4 * PAGE)],
    "two page regions": [placed("a", 1000, 4 * PAGE, 3), placed("b", 1008, 6 * PAGE, 3)]
  }

  for (const [title, blocks] of Object.entries(overlapping)) {
    it(`must not share a byte: ${title}`, () => {
      const findings = check(Images.place(blocks))
      assert.isAbove(findings.length, 0)
      assert.isTrue(findings.every(({ code }) => code === "regions-overlap"))
      assert.isTrue(findings.some(({ block }) => block === "b"))
    })
  }

  it("must not share a byte: the stream's tail and another page region", () => {
    // The tail begins where the last region ends, in the middle of the first.
    const findings = check(Images.place([placed("a", 1000, 4 * PAGE, 9), placed("b", 1008, 5 * PAGE)]))
    assert.deepStrictEqual(
      findings.map(({ block, found }) => [block, found.slice(0, 20)]),
      [
        ["b", `a page region of "a"`],
        ["a", `a page region of "a"`]
      ]
    )
  })

  it("name the field to blame", () => {
    const file = Images.place([placed("a", 1000, 4 * PAGE), placed("b", 1007, 8 * PAGE)])
    const [finding] = check(file)
    assert.strictEqual(finding!.offset, Images.block(file, "b").headerPosition + MappedRam.BITMAP_OFFSET_AT)
    assert.include(finding!.message, `a file bitmap of "a" from 1000 to 1008`)
    const regions = Images.place([placed("a", 1000, 4 * PAGE, 3), placed("b", 1008, 6 * PAGE, 3)])
    const [overlap] = check(regions)
    assert.strictEqual(overlap!.offset, Images.block(regions, "b").headerPosition + MappedRam.PAGES_OFFSET_AT)
  })

  it("are looked at as far as the image was read", () => {
    const image = Images.parse(Images.place([placed("a", 5 * PAGE + 3, 4 * PAGE)]))
    const upTo = (stateStart: number | undefined) =>
      ImageChecks.checkRegions({ image: { ...image, stateStart }, fileSize: 2 ** 30 }).length
    assert.strictEqual(upTo(image.stateStart), 1)
    assert.strictEqual(upTo(undefined), 0)
  })

  it("leave out blocks without bitmap and pages, and bitmaps of unknown size", () => {
    const configuration = { ...Images.configuration, capabilities: ["x-ignore-shared", "mapped-ram"] }
    const ignored = { idstr: "shared", usedLength: PAGE, pageSize: PAGE, ignored: true }
    assert.deepStrictEqual(check(Images.make({ configuration, blocks: [ignored] })), [])
    assert.deepStrictEqual(check(Images.place([placed("a", 0, 4 * PAGE, 1, 0)])), [])
  })
})

describe("the bitmap of a block", () => {
  const file = Images.make({ blocks: [{ idstr: "m", usedLength: 100 * PAGE, pageSize: PAGE }] })
  const block = Images.block(file, "m")
  const checkBitmap = (bitmap: PageBitmap.PageBitmap, fileSize: number) =>
    ImageChecks.checkBitmap({ block, bitmap, fileSize }).map(({ code }) => code)

  it("promises pages that are in the file", () => {
    const bitmap = PageBitmap.make(100)
    assert.deepStrictEqual(checkBitmap(bitmap, 0), [])
    bitmap.setRange(0, 1)
    assert.deepStrictEqual(checkBitmap(bitmap, 0), ["pages-past-end"])
    bitmap.setRange(49, 1)
    assert.deepStrictEqual(checkBitmap(bitmap, block.header.pagesOffset + 50 * PAGE), [])
    assert.deepStrictEqual(checkBitmap(bitmap, block.header.pagesOffset + 50 * PAGE - 1), ["pages-past-end"])
  })

  it("may have junk behind the last page, which is worth a warning", () => {
    const bitmap = PageBitmap.fromBytes(new Uint8Array(16).with(15, 0x80), 100)
    assert.deepStrictEqual(checkBitmap(bitmap, 0), ["bits-beyond-block"])
    const block = Images.block(Images.make(), "pc.ram")
    const [finding] = ImageChecks.checkBitmap({ block, bitmap, fileSize: 2 ** 40 })
    assert.strictEqual(finding?.expected, "no bit after page 99")
    assert.strictEqual(finding?.offset, block.header.bitmapOffset + 8)
  })
})

describe("the page size", () => {
  it("is the one that the description names", () => {
    const { blocks } = Images.parse(Images.make())
    assert.deepStrictEqual(ImageChecks.checkPageSize(blocks, PAGE), [])
    const findings = ImageChecks.checkPageSize(blocks, 2 * PAGE)
    assert.deepStrictEqual(
      findings.map(({ block, code, offset }) => [block, code, offset]),
      blocks.map(({ headerPosition, idstr }) => [idstr, "page-size-wrong", headerPosition + MappedRam.PAGE_SIZE_AT])
    )
  })
})

describe("the room for the device state", () => {
  const blocks = Images.parse(Images.place([placed("a", 8192, 10 * PAGE), placed("b", 1000, 4 * PAGE)])).blocks

  it("ends where a block has a part, or with the file", () => {
    assert.strictEqual(stateLimit(6 * PAGE, blocks, 100 * PAGE), 10 * PAGE)
    assert.strictEqual(stateLimit(12 * PAGE, blocks, 100 * PAGE), 100 * PAGE)
  })

  it("does not end where a block has nothing", () => {
    const empty = [{ ...blocks[0]!, usedLength: 0 }]
    assert.strictEqual(stateLimit(6 * PAGE, empty, 100 * PAGE), 100 * PAGE)
  })

  it("is not a whole disk", () => assert.strictEqual(stateLimit(1000, [], 2 ** 45), 1000 + 2 ** 30))
})
