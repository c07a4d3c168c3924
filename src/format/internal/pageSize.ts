/** The smallest page of any target that QEMU emulates has 1 KiB; QEMU's block lists have no room for smaller ones. */
const MIN_PAGE_SIZE = 1024

/** 16 times the largest target page, and as much as one batch of pages. */
const MAX_PAGE_SIZE = 1024 * 1024

/** @internal */
export const isPageSize = (bytes: number): boolean =>
  bytes >= MIN_PAGE_SIZE && bytes <= MAX_PAGE_SIZE && Number.isInteger(Math.log2(bytes))
