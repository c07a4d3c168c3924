/**
 * Ways to damage a real image, each with what QEMU 10.0 makes of it and what the library has to say.
 */
import * as Fs from "node:fs"
import type { FindingCode } from "../../../src/format/Finding.ts"
import type { ImageError } from "../../../src/image/ImageError.ts"
import * as Files from "./files.ts"
import { MAIN_BLOCK } from "./guest.ts"
import * as QemuImage from "./qemuImage.ts"

/** What QEMU 10.0 does when it is given the image. */
export type QemuVerdict =
  /** The load completes and RAM is right. */
  | "loads"
  /** The load completes and RAM is wrong: the guest would go on with it. */
  | "loads wrong RAM"
  /** The load fails with a message. */
  | "refuses"
  /** The process dies of a signal. */
  | "crashes"
  /** It refuses without multifd and crashes with it. */
  | "crashes with multifd"

/** One way to damage an image. */
export interface Damage {
  /** What is wrong, as the name of a test. */
  readonly name: string
  /** Damages the file in which `image` was found. */
  readonly inflict: (image: QemuImage.QemuImage) => void
  readonly qemu: QemuVerdict
  /** The error that the library opens it with; `undefined` where the image is good enough. */
  readonly error: ImageError["_tag"] | undefined
  /** The finding, an error or a warning; `undefined` where nothing is wrong. */
  readonly code: FindingCode | undefined
}

const PAGE = 4096
const MIB = 1024 * 1024

const u32 = (value: number): Buffer => {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32BE(value)
  return bytes
}

const u64 = (value: number | bigint): Buffer => {
  const bytes = Buffer.alloc(8)
  bytes.writeBigUInt64BE(BigInt(value))
  return bytes
}

const overwrite = (image: QemuImage.QemuImage, position: number, bytes: Uint8Array): void =>
  Files.patch(image.path, [{ position, bytes }])

const cut = (image: QemuImage.QemuImage, length: number): void => Fs.truncateSync(image.path, length)

const main = (image: QemuImage.QemuImage): QemuImage.Block => QemuImage.block(image, MAIN_BLOCK)

/** Where the fields of a mapped-ram header lie in it. */
const Field = { version: 0, pageSize: 4, bitmapOffset: 12, pagesOffset: 20 }

type Inflict = Damage["inflict"]

const mainVersion =
  (version: number): Inflict =>
  (image) =>
    overwrite(image, main(image).headerAt + Field.version, u32(version))

const mainField =
  (field: number, value: (image: QemuImage.QemuImage) => number | bigint): Inflict =>
  (image) =>
    overwrite(image, main(image).headerAt + field, u64(value(image)))

const pageSize = (value: number): Inflict => mainField(Field.pageSize, () => value)

const pageSizeEverywhere =
  (value: number): Inflict =>
  (image) => {
    for (const { headerAt } of image.blocks) overwrite(image, headerAt + Field.pageSize, u64(value))
  }

const total =
  (more: number): Inflict =>
  (image) =>
    overwrite(image, image.totalAt, u64(QemuImage.total(image) + more + QemuImage.MEM_SIZE))

/** Puts another record where the list of START's records ends. */
const startRecord =
  (flags: number): Inflict =>
  (image) =>
    overwrite(image, image.startEosAt, u64(flags))

const corrupt = (name: string, inflict: Inflict, code: FindingCode, qemu: QemuVerdict = "refuses"): Damage => ({
  name,
  inflict,
  qemu,
  error: "CorruptImageError",
  code
})

const truncated = (name: string, inflict: Inflict, code: FindingCode, qemu: QemuVerdict = "refuses"): Damage => ({
  name,
  inflict,
  qemu,
  error: "TruncatedImageError",
  code
})

const unsupported = (name: string, inflict: Inflict, code: FindingCode): Damage => ({
  name,
  inflict,
  qemu: "refuses",
  error: "UnsupportedImageError",
  code
})

const harmless = (name: string, inflict: Inflict, code?: FindingCode): Damage => ({
  name,
  inflict,
  qemu: "loads",
  error: undefined,
  code
})

const headers: ReadonlyArray<Damage> = [
  unsupported("header version 2", mainVersion(2), "header-version-unsupported"),
  harmless("header version 0", mainVersion(0)),
  corrupt("page size 0", pageSize(0), "page-size-zero", "crashes"),
  corrupt("page size 8192", pageSize(2 * PAGE), "page-size-wrong", "loads wrong RAM"),
  corrupt("page size 2048", pageSize(PAGE / 2), "page-size-wrong", "loads"),
  corrupt("page size 1 MiB", pageSize(MIB), "page-size-wrong", "loads wrong RAM"),
  corrupt("page size 2048 in every header", pageSizeEverywhere(PAGE / 2), "page-size-wrong", "loads"),
  corrupt("page size 4097", pageSize(PAGE + 1), "page-size-wrong", "loads"),
  corrupt(
    "pages_offset between two pages",
    mainField(Field.pagesOffset, (image) => main(image).pagesOffset + 1),
    "pages-misaligned"
  ),
  corrupt(
    "pages_offset 2^62",
    mainField(Field.pagesOffset, () => 2n ** 62n),
    "number-too-large",
    "crashes with multifd"
  ),
  truncated(
    "pages_offset behind the file",
    mainField(Field.pagesOffset, (image) => Math.ceil(image.fileSize / PAGE) * PAGE),
    "pages-past-end",
    "crashes with multifd"
  ),
  truncated(
    "bitmap_offset at the end of the file",
    mainField(Field.bitmapOffset, ({ fileSize }) => fileSize),
    "bitmap-past-end"
  ),
  corrupt(
    "bitmap_offset close to 2^64",
    mainField(Field.bitmapOffset, () => 2n ** 64n - 4096n),
    "number-too-large"
  ),
  corrupt(
    "bitmap in the page region",
    mainField(Field.bitmapOffset, (image) => main(image).pagesOffset),
    "regions-overlap",
    "loads wrong RAM"
  ),
  corrupt(
    "two blocks share a bitmap",
    mainField(Field.bitmapOffset, ({ blocks }) => blocks[1]!.bitmapOffset),
    "regions-overlap",
    "loads wrong RAM"
  )
]

const setLastBitOfLastBlock: Inflict = (image) =>
  overwrite(image, image.blocks.at(-1)!.bitmapOffset + 7, Buffer.of(0x80))

const renameBlock: Inflict = (image) =>
  overwrite(image, QemuImage.block(image, "pc.rom").entryAt + 1, Buffer.from("pc.rax"))

const blockList: ReadonlyArray<Damage> = [
  { name: "a block that no machine has", inflict: renameBlock, qemu: "refuses", error: undefined, code: undefined },
  harmless("junk in the bits behind the last page", setLastBitOfLastBlock, "bits-beyond-block"),
  corrupt("the total is a page more than the blocks", total(PAGE), "total-mismatch"),
  corrupt("the total is a page less than the blocks", total(-PAGE), "total-mismatch"),
  corrupt("MULTIFD_FLUSH in RAM's section", startRecord(0x200), "ram-record-unexpected"),
  corrupt("ZERO in RAM's section", startRecord(0x002), "ram-record-unexpected"),
  corrupt("PAGE in RAM's section", startRecord(0x008), "ram-record-unexpected"),
  corrupt("a footer of another section", (image) => overwrite(image, image.startEosAt + 9, u32(99)), "footer-mismatch")
]

const stream: ReadonlyArray<Damage> = [
  {
    name: "no magic",
    inflict: (image) => overwrite(image, 0, Buffer.from("X")),
    qemu: "refuses",
    error: "NotMigrationImageError",
    code: "magic-wrong"
  },
  unsupported("stream version 2", (image) => overwrite(image, 4, u32(2)), "stream-version-unsupported"),
  truncated(
    "cut in the middle of the pages",
    (image) => cut(image, main(image).pagesOffset + main(image).usedLength / 2),
    "pages-past-end",
    "crashes with multifd"
  ),
  truncated("cut in front of RAM's END", (image) => cut(image, image.ramEndAt), "ram-end-missing"),
  truncated("cut in the device state", (image) => cut(image, image.devicesAt + 1000), "device-state-cut"),
  truncated("cut in front of EOF", (image) => cut(image, image.eofAt), "device-state-cut"),
  harmless("no description", (image) => cut(image, image.eofAt + 1), "description-missing"),
  harmless("description cut short", (image) => cut(image, image.fileSize - 100), "description-cut")
]

/** All damages. Each is meant for an image that begins at the start of its file. */
export const all: ReadonlyArray<Damage> = [...headers, ...blockList, ...stream]
