/**
 * What is wrong with an image, or with what a peer sent: one value per thing found.
 *
 * @since 0.1.0
 */
import * as Schema from "effect/Schema"

/**
 * What a finding means for the file, or for the migration, as a whole.
 *
 * - `not-image`: it is something else.
 * - `corrupt`: it contradicts itself or the format.
 * - `truncated`: it ends, or was given up, before it was complete.
 * - `unsupported`: a migration stream, but of a kind that cannot be read page by page.
 * - `unmatched`: its checksums are not those of what is there: another image was written over the one that they were made
 *   for, or it is damaged outside of RAM.
 * - `protocol`: a peer broke the rules of multifd or of the main channel. It cannot occur in a file.
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
 * An `error` keeps an image from being used; a `warning` is worth a line in a report, and QEMU loads such a file.
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
 * What a code stands for.
 *
 * @stability stable
 * @category models
 * @since 0.1.0
 */
export interface Meaning {
  readonly category: Category
  readonly severity: Severity
  /** The finding in a few words, without the particulars of the file. */
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
  "pages-past-end": truncated("a page that the bitmap promises lies past the end of the file"),
  "device-state-cut": truncated("the device state is cut short"),
  "seal-cut": truncated("the checksums of the image are cut short"),
  "libvirt-save-partial": truncated("libvirt never finished this save"),

  "stream-version-unsupported": unsupported("unknown version of the migration stream"),
  "configuration-unsupported": unsupported("unknown part of the configuration section"),
  "mapped-ram-missing": unsupported("a migration stream without mapped-ram: its pages have no fixed places"),
  "command-unsupported": unsupported("a command of another kind of migration"),
  "iterable-unsupported": unsupported("a section that only its own device can take apart"),
  "early-section-unsized": unsupported("the size of a device section in front of RAM's END is unknown"),
  "ram-version-unsupported": unsupported("unknown version of the RAM section"),
  "header-version-unsupported": unsupported("unknown version of a mapped-ram header"),
  "bitmap-limit-exceeded": unsupported("more RAM than any machine has"),
  "block-limit-exceeded": unsupported("more RAM blocks than any machine has"),
  "seal-version-unsupported": unsupported("unknown kind of checksums"),
  "libvirt-version-unsupported": unsupported("unknown version of libvirt's save format"),
  "libvirt-format-unsupported": unsupported("a libvirt save that is not in sparse format"),

  "number-too-large": corrupt("a number is larger than any file"),
  "name-invalid": corrupt("a name is not valid text"),
  "configuration-corrupt": corrupt("the configuration section makes no sense"),
  "command-corrupt": corrupt("a command makes no sense"),
  "section-unexpected": corrupt("a section of this type cannot stand here"),
  "section-id-unknown": corrupt("a section continues one that was never started"),
  "footer-missing": corrupt("a section does not end with its footer"),
  "footer-mismatch": corrupt("a footer closes another section than the one it stands behind"),
  "ram-instance-wrong": corrupt("RAM has another instance id than 0"),
  "ram-record-unexpected": corrupt("a record that mapped-ram forbids"),
  "block-list-missing": corrupt("RAM's START section lists no blocks"),
  "total-mismatch": corrupt("the lengths of the blocks do not add up to the total"),
  "block-duplicated": corrupt("a RAM block is listed twice"),
  "records-loop": corrupt("the block list runs in a circle"),
  "page-size-zero": corrupt("the page size is 0"),
  "page-size-wrong": corrupt("the page size is wrong"),
  "length-not-whole-pages": corrupt("a block does not consist of whole pages"),
  "pages-misaligned": corrupt("a page region does not begin at a page boundary"),
  "regions-overlap": corrupt("two parts of the file lie on top of each other"),
  "seal-corrupt": corrupt("the checksums of the image are damaged themselves"),
  "pages-checksum-wrong": corrupt("pages do not have their checksum"),
  "stream-checksum-wrong": unmatched("what is not pages is not what was sealed: it is damaged, or another image's"),
  "seal-stale": unmatched("the checksums are those of an image that was here before"),
  "libvirt-header-corrupt": corrupt("libvirt's save header makes no sense"),

  "connection-unidentified": protocol("a connection begins like neither the main channel nor a multifd channel"),
  "connection-unexpected": protocol("a connection too many"),
  "packet-magic-wrong": protocol("no multifd packet begins here"),
  "packet-version-unsupported": protocol("unknown version of a multifd packet"),
  "packet-reserved-set": protocol("reserved bytes of a multifd packet are in use"),
  "init-id-out-of-range": protocol("a channel has an id that is not below the number of channels"),
  "init-id-duplicated": protocol("two channels have the same id"),
  "init-uuid-mismatch": protocol("a channel belongs to another guest"),
  "packet-flags-unknown": protocol("a packet has flags that no known QEMU sends"),
  "packet-method-mismatch": protocol("a packet is compressed in another way than agreed"),
  "packet-pages-exceeded": protocol("a packet has room for more pages than its header lists"),
  "packet-normal-exceeded": protocol("a packet has more pages with data than room"),
  "packet-zero-exceeded": protocol("a packet has more zero pages than room"),
  "packet-name-invalid": protocol("the name of the block in a packet is not a valid one"),
  "packet-block-unknown": protocol("a packet has pages of a block that was never announced"),
  "packet-offset-out-of-range": protocol("a page of a packet lies outside its block"),
  "packet-offset-misaligned": protocol("a page of a packet does not begin at a page boundary"),
  "packet-payload-wrong": protocol("the payload of a packet does not have the length of its pages"),
  "packet-payload-exceeded": protocol("the payload of a packet is longer than any that makes sense"),
  "packet-number-stale": protocol("the packets of a channel are not numbered in ascending order"),
  "device-packet-unexpected": protocol("a packet of device state where there is nobody to take it"),
  "device-packet-flags-wrong": protocol("a packet of device state has flags that do not go with it"),
  "device-packet-name-invalid": protocol("the name of the device in a packet is not a valid one"),
  "device-packet-empty": protocol("a packet of device state is empty"),
  "device-packet-payload-exceeded": protocol("a packet of device state is longer than agreed"),
  "epoch-pages-early": protocol("a channel sends pages before its first SYNC, when no block is known yet"),
  "epoch-sync-missing": protocol("a channel ended before the SYNC that a mark of the main channel waits for"),
  "epoch-sync-unexpected": protocol("a channel sent more than one SYNC behind the last mark"),
  "epoch-pages-late": protocol("a channel sends pages behind the last mark"),
  "device-state-exceeded": protocol("more device state than agreed"),
  "early-sections-exceeded": protocol("more in front of RAM's END than any machine has"),
  "mapped-ram-unexpected": protocol("mapped-ram on a connection, where there is no file to seek in"),
  "block-list-duplicated": protocol("a second list of blocks"),
  "block-list-mismatch": protocol("the blocks that were announced are not the ones that were expected"),
  "record-unexpected": protocol("a record that cannot stand here"),
  "record-block-missing": protocol("a record goes on with a block, but none was named before"),
  "record-block-unknown": protocol("a record is about a block that was never announced"),
  "record-offset-out-of-range": protocol("the page of a record lies outside its block"),
  "record-offset-misaligned": protocol("the page of a record does not begin at a page boundary"),
  "record-fill-wrong": protocol("a zero page is said to be filled with something else"),
  "flush-unexpected": protocol("a flush in a stream whose sections are the marks"),
  "xbzrle-corrupt": protocol("the changes of a page make no sense"),
  "return-path-message-unknown": protocol("a message on the return path that no known QEMU sends"),
  "return-path-length-wrong": protocol("a message on the return path has the wrong length"),

  "seal-unfinished": warning("somebody began to add checksums and did not finish"),
  "bits-beyond-block": warning("bits are set behind the last page of a block"),
  "capability-unknown": warning("a capability that no known QEMU has"),
  "description-missing": warning("the description of the device state is missing"),
  "description-cut": warning("the description of the device state is cut short"),
  "description-unreadable": warning("the description of the device state makes no sense"),
  "description-wrong": warning("the description does not agree with the device state"),
  "device-state-unreadable": warning("the device state cannot be taken apart")
} as const satisfies Record<string, Meaning>

/**
 * The name of a kind of finding.
 *
 * @stability stable
 * @category models
 * @since 0.1.0
 */
export type FindingCode = keyof typeof table

/**
 * Every code with its meaning: the one place that says which findings there are.
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
 * One thing that is wrong with an image or a connection, and where. A value first: decoders return it, `verify` lists it; it is an error
 * class as well, so that it can be the failure of an effect.
 *
 * @see {@link make} for the constructor that fills in what the code implies
 * @stability stable
 * @category models
 * @since 0.1.0
 */
export class Finding extends Schema.TaggedError<Finding>()("Finding", {
  code: FindingCode,
  severity: Severity,
  category: Category,
  /** Of the bytes in question: absolute in a file, counted from the first byte of a connection otherwise. */
  offset: Schema.Number,
  /** The RAM block concerned. */
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
  /** Absolute file offset, or bytes since the beginning of the connection. */
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
