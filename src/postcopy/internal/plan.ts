import * as Effect from "effect/Effect"
import * as ImageNotes from "../../format/seal/ImageNotes.ts"
import type * as Problem from "../../ram/Problem.ts"
import * as RamBlock from "../../ram/RamBlock.ts"
import { MigrationRequestError } from "../../snapshot/MigrationRequestError.ts"
import type { LedgerBlock, PageLedger } from "../PageLedger.ts"
import type { Options, PagePlace } from "./model.ts"
import { discarded, type Unit } from "./preamble.ts"

const blockProblems = (
  { allowLost, source }: Pick<Options<unknown>, "allowLost" | "source">,
  blocks: ReadonlyArray<LedgerBlock>
): ReadonlyArray<Problem.Problem> => [
  ...(allowLost === true || source.notes === undefined ? [] : ImageNotes.lossProblems(source.notes, source.name)),
  ...(blocks.length === 0 ? [{ reason: "the machine has no RAM block", remedy: "send a machine with RAM" }] : []),
  ...(source.blocks.some(({ ignored }) => ignored === true)
    ? [
        {
          reason: "the image has blocks without their pages (x-ignore-shared)",
          remedy: "save it without x-ignore-shared"
        }
      ]
    : []),
  ...blocks.flatMap(({ hostPageSize, idstr, pageSize }) =>
    hostPageSize % pageSize === 0 && Number.isInteger(Math.log2(hostPageSize))
      ? []
      : [
          {
            option: "hostPageSizes",
            reason: `the host pages of "${idstr}" have ${hostPageSize} bytes`,
            remedy: `pass a power of two, at least ${pageSize}`
          }
        ]
  ),
  ...(new Set(blocks.map(({ pageSize }) => pageSize)).size > 1
    ? [{ reason: "the blocks have several page sizes", remedy: "use one page size" }]
    : [])
]

/**
 * The blocks for a ledger.
 *
 * @internal
 */
export const ledgerBlocks = <E>(
  options: Options<E>
): Effect.Effect<ReadonlyArray<LedgerBlock>, MigrationRequestError> => {
  const { hostPageSizes, source } = options
  const blocks = source.blocks.map(({ idstr, pageSize, reader, usedLength }) => ({
    idstr,
    pageSize,
    usedLength,
    present: reader.present,
    hostPageSize: hostPageSizes?.get(idstr) ?? Math.max(pageSize, RamBlock.defaultPageSize)
  }))
  const [first, ...rest] = blockProblems(options, blocks)
  return first === undefined
    ? Effect.succeed(blocks)
    : Effect.fail(new MigrationRequestError({ operation: "send", problems: [first, ...rest] }))
}

/** The option ROM that a PC's interrupt controller reads when it is loaded (kvm-tpr-opt). */
const VAPIC = [0xc0000, 0xc1000, 0xc2000]

/**
 * Devices read them while QEMU loads them; otherwise they would be requested between LISTEN and RUN, where a failure is
 * fatal.
 */
const readByDevices = (blocks: ReadonlyArray<RamBlock.Shape>): ReadonlyArray<PagePlace> => {
  const [largest] = blocks.toSorted((a, b) => b.usedLength - a.usedLength)
  return largest === undefined ? [] : VAPIC.map((offset) => ({ idstr: largest.idstr, offset }))
}

/** Places as units; places outside all blocks are left out. @internal */
export const unitsOf = (ledger: PageLedger, places: ReadonlyArray<PagePlace>): ReadonlyArray<Unit> =>
  places.flatMap(({ idstr, offset }) => {
    const entry = ledger.entries.get(idstr)
    const unit = entry === undefined ? 0 : Math.floor(offset / entry.block.hostPageSize)
    return entry !== undefined && unit >= 0 && unit < entry.units ? [{ idstr, unit }] : []
  })

/** The units of the prefix, each once, without the discarded one. @internal */
export const prefixOf = (ledger: PageLedger, { prefix }: Pick<Options<unknown>, "prefix">): ReadonlyArray<Unit> => {
  const blocks = [...ledger.entries.values()].map(({ block }) => block)
  const left = discarded(ledger)
  const all = unitsOf(ledger, prefix ?? readByDevices(blocks))
  return all.filter(({ idstr, unit }) => idstr !== left.idstr || unit !== left.unit)
}
