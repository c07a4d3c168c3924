import { maxPageSize, minPageSize } from "../../ram/RamBlock.ts"

/** @internal */
export const isPageSize = (bytes: number): boolean =>
  bytes >= minPageSize && bytes <= maxPageSize && Number.isInteger(Math.log2(bytes))
