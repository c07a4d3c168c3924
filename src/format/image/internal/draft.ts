import type { Finding } from "../../Finding.ts"
import type { ByteRange, MappedBlock, ParsedImage } from "./imageModel.ts"

/**
 * An image in progress: everything known of it so far.
 *
 * @internal
 */
export type Draft = { -readonly [K in keyof Omit<ParsedImage, "blocks" | "early" | "findings">]: ParsedImage[K] } & {
  readonly blocks: Array<MappedBlock>
  readonly early: Array<ByteRange>
  readonly findings: Array<Finding>
}

/** @internal */
export const makeDraft = (start: number): Draft => ({
  start,
  configuration: undefined,
  configurationRange: { position: start, length: 0 },
  prelude: { position: start, length: 0 },
  ramSectionId: undefined,
  totalLength: undefined,
  blocks: [],
  early: [],
  switchoverStart: false,
  footers: true,
  stateStart: undefined,
  findings: []
})
