/**
 * A RAM block, its reader and its writer.
 *
 * @stability stable
 * @since 0.1.0
 */
export * from "../ram/RamBlock.ts"
export type { PageReader } from "../ram/PageReader.ts"
export type { PageWriter } from "../ram/PageWriter.ts"
