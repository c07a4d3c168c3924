import * as Schema from "effect/Schema"
import { ImageNotes } from "../../format/seal/ImageNotes.ts"
import type { Image } from "../../image/Image.ts"
import * as RamBlock from "../../ram/RamBlock.ts"
import { Count, describe } from "./jsonFields.ts"
import * as Text from "./text.ts"

/**
 * The checksums of an image, as JSON.
 *
 * @internal
 */
export const SealJson = Schema.Struct({
  algorithm: Schema.String.annotate(describe("crc32, sha256 or hmac-sha256")),
  extentSize: Count.annotate(describe("Bytes that share a digest"))
}).annotate(describe("The checksums of the image"))

const BlockJson = Schema.Struct({
  idstr: Schema.String.annotate(describe("QEMU's name of the block")),
  usedLength: Count.annotate(describe("Bytes")),
  pageSize: Count.annotate(describe("Bytes")),
  bitmapOffset: Count.annotate(describe("Absolute offset in the file")),
  pagesOffset: Count.annotate(describe("Absolute offset in the file")),
  pages: Count.annotate(describe("All pages of the block")),
  pagesPresent: Count.annotate(describe("Pages in the file; the others are zero"))
})

const SectionJson = Schema.Struct({ name: Schema.String, instanceId: Count, version: Count })

/**
 * The output of `info --json`. Numbers are bytes and counts; `offset`, `bitmapOffset` and `pagesOffset` are absolute
 * file offsets.
 *
 * @internal
 */
export const ImageJson = Schema.Struct({
  path: Schema.String,
  format: Schema.String.annotate(describe("mapped-ram or libvirt-sparse")),
  offset: Count.annotate(describe("Absolute offset of the migration stream in the file")),
  machine: Schema.optional(Schema.String.annotate(describe("The machine type with its version"))),
  capabilities: Schema.Array(Schema.String),
  runState: Schema.NullOr(Schema.String),
  blocks: Schema.Array(BlockJson),
  deviceSections: Schema.Array(SectionJson),
  seal: Schema.NullOr(SealJson),
  notes: ImageNotes,
  libvirt: Schema.optionalKey(Schema.Struct({ wasRunning: Schema.Boolean })),
  warnings: Schema.Array(Schema.Struct({ code: Schema.String, message: Schema.String }))
})

/** @internal */
export const toJson = (image: Image): typeof ImageJson.Type => ({
  path: image.path,
  format: image.format,
  offset: image.offset,
  machine: image.machine,
  capabilities: image.capabilities,
  runState: image.runState ?? null,
  blocks: image.blocks.map((block) => ({
    idstr: block.idstr,
    usedLength: block.usedLength,
    pageSize: block.pageSize,
    bitmapOffset: block.bitmapOffset,
    pagesOffset: block.pagesOffset,
    pages: RamBlock.pageCount(block),
    pagesPresent: block.pagesPresent
  })),
  deviceSections: image.deviceSections.map(({ name, instanceId, version }) => ({ name, instanceId, version })),
  seal: image.seal === undefined ? null : { algorithm: image.seal.algorithm, extentSize: image.seal.extentSize },
  notes: image.notes,
  ...(image.libvirt === undefined ? {} : { libvirt: { wasRunning: image.libvirt.wasRunning } }),
  warnings: image.findings.map(({ code, message }) => ({ code, message }))
})

const blockTable = (image: Image): string =>
  Text.table(
    [
      ["block", "length", "page", "pages", "present", "bitmap at", "pages at"],
      ...image.blocks.map((block) => [
        Text.printable(block.idstr),
        Text.bytes(block.usedLength),
        Text.bytes(block.pageSize),
        String(RamBlock.pageCount(block)),
        String(block.pagesPresent),
        String(block.bitmapOffset),
        String(block.pagesOffset)
      ])
    ],
    [1, 2, 3, 4, 5, 6]
  )

const sectionTable = (image: Image): string =>
  Text.table(
    [
      ["device section", "instance", "version"],
      ...image.deviceSections.map(({ name, instanceId, version }) => [
        Text.printable(name),
        String(instanceId),
        String(version)
      ])
    ],
    [1, 2]
  )

const sum = (values: ReadonlyArray<number>): number => values.reduce((total, value) => total + value, 0)

const ramLine = ({ blocks }: Image): string => {
  const used = sum(blocks.map((block) => block.usedLength))
  const present = sum(blocks.map((block) => block.pagesPresent * block.pageSize))
  return `${Text.bytes(used)} in ${Text.counted(blocks.length, "block")}, ${Text.bytes(present)} of it in the file`
}

const noteLines = ({ notes }: Image): ReadonlyArray<readonly [string, string]> => [
  ...(notes.uuid === undefined ? [] : [["uuid", notes.uuid] as const]),
  ...(notes.marks === undefined ? [] : [["multifd marks", notes.marks] as const]),
  ...(notes.lost ?? []).map(
    ({ idstr, pages }) => ["lost", `${Text.counted(pages, "page")} of ${Text.printable(idstr)}, zero here`] as const
  )
]

/**
 * The output of `info` as text.
 *
 * @internal
 */
export const toText = (image: Image): string => {
  const facts: ReadonlyArray<readonly [string, string]> = [
    ["format", image.format],
    ["stream at", `byte ${image.offset}`],
    ["machine", Text.printable(image.machine ?? "not in the file")],
    ["run state", image.runState ?? "not in the file"],
    ["capabilities", Text.printable(image.capabilities.join(", "))],
    ...(image.libvirt === undefined
      ? []
      : [["libvirt", image.libvirt.wasRunning ? "was running" : "was paused"] as const]),
    ["RAM", ramLine(image)],
    [
      "checksums",
      image.seal === undefined
        ? "none"
        : `${Text.algorithm(image.seal.algorithm)}, one for each ${Text.bytes(image.seal.extentSize)}`
    ],
    ...noteLines(image)
  ]
  return [
    Text.printable(image.path),
    Text.table(facts, []),
    ...(image.blocks.length === 0 ? [] : ["", blockTable(image)]),
    ...(image.deviceSections.length === 0 ? [] : ["", sectionTable(image)]),
    ...image.findings.map(({ message }) => `\nwarning: ${Text.oneLine(message)}`)
  ].join("\n")
}
