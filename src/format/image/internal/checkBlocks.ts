import * as Finding from "../../Finding.ts"
import type { MappedBlock } from "./imageModel.ts"
import * as MappedRam from "../MappedRam.ts"
import type { Configuration } from "../../stream/MigrationStream.ts"
import { isPageSize } from "../../internal/pageSize.ts"

/**
 * Checks blocks by their entries alone.
 *
 * @internal
 */
export const checkBlocks = (
  blocks: ReadonlyArray<MappedBlock>,
  configuration: Configuration | undefined
): ReadonlyArray<Finding.Finding> => {
  const names = new Set<string>()
  const pageSize = expectedPageSize(blocks, configuration)
  return blocks.flatMap((block) => {
    const repeated = names.has(block.idstr)
    names.add(block.idstr)
    return [...(repeated ? [duplicated(block)] : []), ...checkName(block), ...checkHeader(block, pageSize)]
  })
}

/** The page size in the configuration, or else the most frequent valid page size. */
const expectedPageSize = (
  blocks: ReadonlyArray<MappedBlock>,
  configuration: Configuration | undefined
): number | undefined => {
  if (configuration?.targetPageBits !== undefined) return 2 ** configuration.targetPageBits
  const votes = new Map<number, number>()
  for (const { header } of blocks) {
    if (isPageSize(header.pageSize)) votes.set(header.pageSize, (votes.get(header.pageSize) ?? 0) + 1)
  }
  const [winner] = [...votes].toSorted(([, a], [, b]) => b - a)
  return winner?.[0]
}

const duplicated = ({ entryPosition, idstr }: MappedBlock): Finding.Finding =>
  Finding.make({
    code: "block-duplicated",
    offset: entryPosition,
    block: idstr,
    expected: "each name once",
    found: "a second entry"
  })

/** QEMU's names are C strings: it would see only the part before a zero byte. */
const checkName = ({ entryPosition: offset, idstr }: MappedBlock): ReadonlyArray<Finding.Finding> => {
  if (!idstr.includes("\0")) return []
  return [Finding.make({ code: "name-invalid", offset, expected: "a name without zero bytes", found: "one with some" })]
}

const checkHeader = (block: MappedBlock, pageSize: number | undefined): ReadonlyArray<Finding.Finding> => {
  const { header, headerPosition, idstr, ignored, usedLength } = block
  const findings: Array<Finding.Finding> = []
  const report = (code: Finding.FindingCode, at: number, expected: string, found: number) =>
    void findings.push(
      Finding.make({ code, offset: headerPosition + at, block: idstr, expected, found: String(found) })
    )
  const size = pageSize === undefined ? "a power of two from 1 KiB to 1 MiB" : String(pageSize)

  if (header.version > MappedRam.HEADER_VERSION) report("header-version-unsupported", 0, "0 or 1", header.version)
  if (header.pageSize === 0) report("page-size-zero", MappedRam.PAGE_SIZE_AT, size, 0)
  else if (header.pageSize !== pageSize) report("page-size-wrong", MappedRam.PAGE_SIZE_AT, size, header.pageSize)
  if (pageSize === undefined) return findings
  if (usedLength % pageSize !== 0) {
    report(
      "length-not-whole-pages",
      block.entryPosition - headerPosition,
      `a length that is a multiple of ${pageSize}`,
      usedLength
    )
  }
  if (!ignored && header.pagesOffset % pageSize !== 0) {
    report(
      "pages-misaligned",
      MappedRam.PAGES_OFFSET_AT,
      `an offset that is a multiple of ${pageSize}`,
      header.pagesOffset
    )
  }
  return findings
}
