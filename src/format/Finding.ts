/**
 * Problems found in an image or in a peer's data: one value per problem.
 *
 * @since 0.1.0
 */
import * as Schema from "effect/Schema"
import { TaggedError } from "../ram/TaggedError.ts"

/**
 * The consequence of a finding for the whole file or migration.
 *
 * - `not-image`: the file is something else.
 * - `corrupt`: the data contradicts itself or the format.
 * - `truncated`: the data ends, or was abandoned, before it was complete.
 * - `unsupported`: a migration stream of a kind that cannot be read page by page.
 * - `unmatched`: the checksums do not match the data. Another image was written over the sealed one, or the image is
 *   damaged outside of RAM.
 * - `protocol`: a peer broke the rules of multifd or of the main channel. Never occurs in a file.
 *
 * @stability stable
 * @category models
 * @since 0.1.0
 */
export const Category = Schema.Literals(["not-image", "corrupt", "truncated", "unsupported", "unmatched", "protocol"])

/**
 * @stability stable
 * @category models
 * @since 0.1.0
 */
export type Category = typeof Category.Type

/**
 * An `error` makes an image unusable. A `warning` is only reported, and QEMU loads such a file.
 *
 * @stability stable
 * @category models
 * @since 0.1.0
 */
export const Severity = Schema.Literals(["error", "warning"])

/**
 * @stability stable
 * @category models
 * @since 0.1.0
 */
export type Severity = typeof Severity.Type

/**
 * The meaning of a code.
 *
 * @stability stable
 * @category models
 * @since 0.1.0
 */
export interface Meaning {
  readonly category: Category
  readonly severity: Severity
  /** The finding in a few words, without details of the file. */
  readonly summary: string
}

const error =
  (category: Category) =>
  (summary: string): Meaning => ({ category, severity: "error", summary })
const corrupt = error("corrupt")
const truncated = error("truncated")
const unsupported = error("unsupported")
const unmatched = error("unmatched")
const protocol = error("protocol")
const warning = (summary: string): Meaning => ({ category: "corrupt", severity: "warning", summary })

const table = {
  "magic-wrong": error("not-image")("no migration stream begins here"),

  "stream-cut": truncated("the migration stream is cut short"),
  "ram-end-missing": truncated("RAM was never completed: its END section is missing"),
  "bitmap-past-end": truncated("a file bitmap reaches past the end of the file"),
  "pages-past-end": truncated("a page marked present is past the end of the file"),
  "device-state-cut": truncated("the device state is cut short"),
  "seal-cut": truncated("the checksums of the image are cut short"),
  "libvirt-save-partial": truncated("libvirt never finished this save"),

  "stream-version-unsupported": unsupported("unknown version of the migration stream"),
  "configuration-unsupported": unsupported("unknown part of the configuration section"),
  "mapped-ram-missing": unsupported("a migration stream without mapped-ram: its pages have no fixed offsets"),
  "command-unsupported": unsupported("a command of another kind of migration"),
  "iterable-unsupported": unsupported("a section that only its own device can parse"),
  "early-section-unsized": unsupported("the size of a device section before RAM's END is unknown"),
  "ram-version-unsupported": unsupported("unknown version of the RAM section"),
  "header-version-unsupported": unsupported("unknown version of a mapped-ram header"),
  "bitmap-limit-exceeded": unsupported("more RAM than any machine has"),
  "block-limit-exceeded": unsupported("more RAM blocks than any machine has"),
  "seal-version-unsupported": unsupported("unknown kind of checksums"),
  "store-version-unsupported": unsupported("a newer version of the store's format"),
  "store-feature-unsupported": unsupported("the store uses a feature that this version does not know"),
  "libvirt-version-unsupported": unsupported("unknown version of libvirt's save format"),
  "libvirt-format-unsupported": unsupported("a libvirt save that is not in sparse format"),

  "number-too-large": corrupt("a number is larger than any file"),
  "name-invalid": corrupt("a name is not valid text"),
  "configuration-corrupt": corrupt("the configuration section is invalid"),
  "command-corrupt": corrupt("a command is invalid"),
  "section-unexpected": corrupt("a section of this type is not allowed here"),
  "section-id-unknown": corrupt("a section continues one that was never started"),
  "footer-missing": corrupt("a section does not end with its footer"),
  "footer-mismatch": corrupt("a footer has the id of another section"),
  "ram-instance-wrong": corrupt("RAM has an instance id other than 0"),
  "ram-record-unexpected": corrupt("a record that mapped-ram forbids"),
  "block-list-missing": corrupt("RAM's START section lists no blocks"),
  "total-mismatch": corrupt("the lengths of the blocks do not add up to the total"),
  "block-duplicated": corrupt("a RAM block is listed twice"),
  "records-loop": corrupt("the block list loops"),
  "page-size-zero": corrupt("the page size is 0"),
  "page-size-wrong": corrupt("the page size is wrong"),
  "length-not-whole-pages": corrupt("the length of a block is not a multiple of its page size"),
  "pages-misaligned": corrupt("a page region does not begin at a page boundary"),
  "regions-overlap": corrupt("two parts of the file overlap"),
  "seal-corrupt": corrupt("the checksums themselves are damaged"),
  "pages-checksum-wrong": corrupt("pages do not match their checksum"),
  "stream-checksum-wrong": unmatched(
    "the data outside the pages does not match its checksum: damaged, or from another image"
  ),
  "seal-stale": unmatched("the checksums belong to an earlier image in this file"),
  "store-config-corrupt": corrupt("the configuration of the store is damaged, or was not written with this key"),
  "store-record-corrupt": corrupt("a record of the store is damaged"),
  "store-map-corrupt": corrupt("a page map of the store is damaged"),
  "store-pack-corrupt": corrupt("a pack of the store is damaged"),
  "store-object-forged": corrupt("an object of the store does not open with its key"),
  "libvirt-header-corrupt": corrupt("libvirt's save header is invalid"),

  "connection-unidentified": protocol("a connection that is neither the main channel nor a multifd channel"),
  "connection-unexpected": protocol("one connection too many"),
  "packet-magic-wrong": protocol("no multifd packet begins here"),
  "packet-version-unsupported": protocol("unknown version of a multifd packet"),
  "packet-reserved-set": protocol("reserved bytes of a multifd packet are in use"),
  "init-id-out-of-range": protocol("a channel has an id that is not below the number of channels"),
  "init-id-duplicated": protocol("two channels have the same id"),
  "init-uuid-mismatch": protocol("a channel belongs to another guest"),
  "packet-flags-unknown": protocol("a packet has flags that no known QEMU sends"),
  "packet-method-mismatch": protocol("a packet does not use the agreed compression"),
  "packet-pages-exceeded": protocol("a packet claims room for more pages than its header can list"),
  "packet-normal-exceeded": protocol("a packet has more pages with data than room"),
  "packet-zero-exceeded": protocol("a packet has more zero pages than room"),
  "packet-name-invalid": protocol("the block name in a packet is invalid"),
  "packet-block-unknown": protocol("a packet has pages of a block that was never announced"),
  "packet-offset-out-of-range": protocol("a page of a packet is outside its block"),
  "packet-offset-misaligned": protocol("a page of a packet does not begin at a page boundary"),
  "packet-payload-wrong": protocol("the payload of a packet does not have the length of its pages"),
  "packet-payload-exceeded": protocol("the payload of a packet is longer than the limit"),
  "packet-number-stale": protocol("the packets of a channel are not numbered in ascending order"),
  "device-packet-unexpected": protocol("a packet of device state that nothing here can take"),
  "device-packet-flags-wrong": protocol("a packet of device state has flags that it must not have"),
  "device-packet-name-invalid": protocol("the device name in a packet is invalid"),
  "device-packet-empty": protocol("a packet of device state is empty"),
  "device-packet-payload-exceeded": protocol("a packet of device state is longer than the limit"),
  "epoch-pages-early": protocol("a channel sends pages before its first SYNC, when no block is known"),
  "epoch-sync-missing": protocol("a channel ended before the SYNC that the main channel's mark requires"),
  "epoch-sync-unexpected": protocol("a channel sent more than one SYNC after the last mark"),
  "epoch-pages-late": protocol("a channel sends pages after the last mark"),
  "device-state-exceeded": protocol("more device state than the limit allows"),
  "early-sections-exceeded": protocol("more sections before RAM's END than any machine has"),
  "mapped-ram-unexpected": protocol("mapped-ram on a connection, which cannot seek"),
  "block-list-duplicated": protocol("a second list of blocks"),
  "block-list-mismatch": protocol("the announced blocks are not the expected ones"),
  "record-unexpected": protocol("a record that is not allowed here"),
  "record-block-missing": protocol("a record continues a block, but none was named before"),
  "record-block-unknown": protocol("a record is about a block that was never announced"),
  "record-offset-out-of-range": protocol("the page of a record is outside its block"),
  "record-offset-misaligned": protocol("the page of a record does not begin at a page boundary"),
  "record-fill-wrong": protocol("a zero page has a fill byte other than zero"),
  "flush-unexpected": protocol("a flush in a stream that syncs at the end of each section"),
  "xbzrle-corrupt": protocol("the changes of a page are invalid"),
  "return-path-message-unknown": protocol("a message on the return path that no known QEMU sends"),
  "return-path-length-wrong": protocol("a message on the return path has the wrong length"),
  "received-bitmap-wrong": protocol("the bitmap of received pages is invalid"),
  "request-out-of-range": protocol("a request for pages that no block has"),

  "seal-unfinished": warning("sealing was started and not finished"),
  "bits-beyond-block": warning("bits are set past the last page of a block"),
  "capability-unknown": warning("a capability that no known QEMU has"),
  "description-missing": warning("the description of the device state is missing"),
  "description-cut": warning("the description of the device state is cut short"),
  "description-unreadable": warning("the description of the device state is invalid"),
  "description-wrong": warning("the description does not match the device state"),
  "device-state-unreadable": warning("the device state cannot be parsed")
} as const satisfies Record<string, Meaning>

/**
 * The code of a kind of finding.
 *
 * @stability stable
 * @category models
 * @since 0.1.0
 */
export type FindingCode = keyof typeof table

/**
 * Every code with its meaning: the single list of findings.
 *
 * @stability stable
 * @category models
 * @since 0.1.0
 */
export const meanings: Readonly<Record<FindingCode, Meaning>> = table

const codes = Object.keys(table) as ReadonlyArray<string> as readonly [FindingCode, ...Array<FindingCode>]

/**
 * Schema of {@link FindingCode}.
 *
 * @stability stable
 * @category schemas
 * @since 0.1.0
 */
export const FindingCode = Schema.Literals(codes)

/**
 * One problem in an image or a connection, with its position. Decoders return it as a value and `verify` lists it. It
 * is also an error class, so that an effect can fail with it.
 *
 * @see {@link make} for the constructor that fills in what the code implies
 * @stability stable
 * @category models
 * @since 0.1.0
 */
export class Finding extends TaggedError<Finding>()("Finding", {
  code: FindingCode,
  severity: Severity,
  category: Category,
  /** Position of the bytes in question: absolute in a file, otherwise counted from the first byte of the connection. */
  offset: Schema.Number,
  /** The affected RAM block. */
  block: Schema.optionalKey(Schema.String),
  expected: Schema.String,
  found: Schema.String
}) {
  override get message() {
    const where = this.block === undefined ? "" : `block "${this.block}": `
    const { summary } = meanings[this.code]
    return `${where}${summary}: expected ${this.expected}, found ${this.found} (at byte ${this.offset})`
  }
}

/**
 * Makes a finding. Severity and category follow from the code.
 *
 * **Example** (A page size of zero)
 *
 * ```ts
 * import { Finding } from "effect-multifd"
 *
 * const finding = Finding.make({
 *   code: "page-size-zero", offset: 113, block: "pc.ram", expected: "4096", found: "0"
 * })
 * finding.category // => "corrupt"
 * finding.message // => 'block "pc.ram": the page size is 0: expected 4096, found 0 (at byte 113)'
 * ```
 *
 * @stability stable
 * @category constructors
 * @since 0.1.0
 */
export const make = (options: {
  readonly code: FindingCode
  /** Absolute file offset, or bytes since the start of the connection. */
  readonly offset: number
  readonly block?: string | undefined
  readonly expected: string
  readonly found: string
}): Finding => {
  const { block, code, expected, found, offset } = options
  const { category, severity } = meanings[code]
  const place = block === undefined ? {} : { block }
  return new Finding({ code, severity, category, offset, expected, found, ...place })
}
