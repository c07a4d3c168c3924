/**
 * A mapped-ram image: a migration stream whose RAM section has room for the pages.
 *
 * ```text
 *   start  file header │ configuration │ prelude │ START "ram", total
 *          entry 1 │ header │ bitmap │ … page region 1
 *          entry 2 │ header │ bitmap │ … page region 2                 each entry begins where the region before it ends
 *          end of records, footer
 *          early device sections, PARTs, SWITCHOVER_START              in any order
 *          END, end of records, footer
 *   stateStart  device sections │ 00 │ 06, length, JSON description
 * ```
 *
 * Page regions and bitmaps may lie anywhere in the file, so "behind" means along the stream and not along the file.
 *
 * @since 0.1.0
 */
import * as Result from "effect/Result"
import type { Parser } from "./Demand.ts"
import type { Finding } from "./Finding.ts"
import { checkBlocks } from "./internal/checkBlocks.ts"
import { attempt, Cursor } from "./internal/cursor.ts"
import { makeDraft } from "./internal/draft.ts"
import { readImage } from "./internal/imageParser.ts"
import type * as MappedRam from "./MappedRam.ts"
import type { Configuration } from "./MigrationStream.ts"

/**
 * A range of bytes of the file.
 *
 * @category models
 * @since 0.1.0
 */
export interface ByteRange {
  /** Absolute. */
  readonly position: number
  readonly length: number
}

/**
 * A RAM block in an image: what it is, and where its bitmap and pages lie.
 *
 * @category models
 * @since 0.1.0
 */
export interface MappedBlock {
  readonly idstr: string
  /** Bytes. */
  readonly usedLength: number
  /** Offset in the parent region, 0 for ordinary RAM. Only images that were saved with `x-ignore-shared` say it. */
  readonly address?: number
  /** Absolute position of the block's entry. */
  readonly entryPosition: number
  /** Absolute position of the block's mapped-ram header. */
  readonly headerPosition: number
  readonly header: MappedRam.Header
  /** Shared memory that the save left out (`x-ignore-shared`): there is neither a bitmap nor a page. */
  readonly ignored: boolean
}

/**
 * Everything that could be made out of a file. Without findings of severity `error`, everything is there.
 *
 * @category models
 * @since 0.1.0
 */
export interface ParsedImage {
  /** Where the stream begins. */
  readonly start: number
  /** `undefined` where the sender left it out (`send-configuration=off`). */
  readonly configuration: Configuration | undefined
  readonly configurationRange: ByteRange
  /** Commands and sections between the configuration and RAM's START. */
  readonly prelude: ByteRange
  readonly ramSectionId: number | undefined
  /** What the lengths of all blocks add up to, as the stream says. */
  readonly totalLength: number | undefined
  /** In the order of the stream. */
  readonly blocks: ReadonlyArray<MappedBlock>
  /** Sections and commands between RAM's START and END that are neither RAM's nor SWITCHOVER_START, in order. */
  readonly early: ReadonlyArray<ByteRange>
  readonly switchoverStart: boolean
  /** Whether sections end with a footer. */
  readonly footers: boolean
  /** The position behind RAM's END, where the device state begins; `undefined` if the parser did not get there. */
  readonly stateStart: number | undefined
  /** In the order in which they were found; the last may be the one that the parser gave up at. */
  readonly findings: ReadonlyArray<Finding>
}

/**
 * Reads an image as far as the end of RAM, with all checks that need neither bitmaps nor the device state.
 *
 * **Details**
 *
 * Total: any bytes give a value, with findings for what is wrong. Reads the records only, in short demands; the time is
 * bounded by the number of records in the file. The description is searched for where a device section stands in front
 * of RAM's END, since nothing else says how long that is.
 *
 * **Example** (An image in memory)
 *
 * ```ts
 * import * as Demand from "effect-multifd/format/Demand"
 * import * as ImageStream from "effect-multifd/format/ImageStream"
 *
 * const bytes = new Uint8Array(0) // a whole image
 * const image = Demand.runSync(ImageStream.parse({ start: 0, fileSize: bytes.length }), bytes)
 * image.findings.map((finding) => finding.code) // => ["magic-wrong"]
 * ```
 *
 * @category decoding
 * @since 0.1.0
 */
export function* parse(options: {
  /** Where in the file the stream begins. */
  readonly start: number
  /** Bytes of the file, or of the device. */
  readonly fileSize: number
}): Parser<ParsedImage> {
  const draft = makeDraft(options.start)
  const outcome = yield* attempt(readImage(draft, new Cursor(options.start)))
  draft.findings.push(...checkBlocks(draft.blocks, draft.configuration))
  if (Result.isFailure(outcome)) draft.findings.push(outcome.failure)
  return draft
}
