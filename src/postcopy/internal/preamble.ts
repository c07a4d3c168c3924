import * as Bytes from "effect/Bytes"
import * as PostcopyCommand from "../../format/postcopy/PostcopyCommand.ts"
import * as MigrationStream from "../../format/stream/MigrationStream.ts"
import * as SocketSections from "../../format/stream/SocketSections.ts"
import * as ConnectionCommands from "../../multifd/ConnectionCommands.ts"
import * as Invariant from "../../ram/Invariant.ts"
import { defaultPageSize } from "../../ram/RamBlock.ts"
import type { MachineState } from "../../snapshot/MachineState.ts"
import type { LedgerBlock, PageLedger } from "../PageLedger.ts"

const { encode } = PostcopyCommand

/** The values of PING: the destination is still reading, and the devices are loaded. @internal */
export const Ping = { begun: 1, loaded: 3, drained: 5 } as const

/** The page sizes of all blocks, or-ed, as the destination computes it. */
const orOf = (sizes: ReadonlyArray<number>): number => Number(sizes.reduce((all, size) => all | BigInt(size), 0n))

/** A block with unusual pages has their size in the list. */
const announced = ({ hostPageSize, idstr, usedLength }: LedgerBlock) => ({
  idstr,
  usedLength,
  hostPageSize: hostPageSize === defaultPageSize ? undefined : hostPageSize
})

/** Framing of a machine's stream. @internal */
export type Framing = Pick<
  MachineState<unknown>,
  "configuration" | "prelude" | "early" | "footers" | "ramSectionId" | "deviceState"
>

/** The target page size, which all blocks have. @internal */
export const pageSizeOf = ([first]: ReadonlyArray<LedgerBlock>): number =>
  Invariant.defined(first, "a machine that is sent has a block").pageSize

/**
 * Everything up to RAM's START.
 *
 * @internal
 */
export const encodePreamble = (
  machine: Framing,
  blocks: ReadonlyArray<LedgerBlock>,
  options: { readonly flush: boolean }
): Uint8Array => {
  const pageSize = pageSizeOf(blocks)
  const prelude = ConnectionCommands.postcopyPreludeWith(machine.prelude, [
    encode({ _tag: "OpenReturnPath" }),
    encode({ _tag: "Ping", value: Ping.begun }),
    encode({
      _tag: "Advise",
      hostPageSizes: orOf(blocks.map(({ hostPageSize }) => hostPageSize)),
      targetPageSize: pageSize
    })
  ])
  const { configuration, footers, ramSectionId: sectionId } = machine
  return new Uint8Array(
    Buffer.concat([
      SocketSections.encodeHead({ configuration, prelude }),
      SocketSections.encodeStart({ sectionId, footers, flush: options.flush, blocks: blocks.map(announced) })
    ])
  )
}

/** A unit of a block. @internal */
export interface Unit {
  readonly idstr: string
  readonly unit: number
}

/**
 * The discarded unit, which is not in the prefix: the last one of the smallest block. Without a RAM_DISCARD every
 * destination hangs, and one that reaches past the end of a block makes it abort.
 *
 * @internal
 */
export const discarded = (ledger: PageLedger): Unit => {
  const [first] = [...ledger.entries.values()].toSorted((a, b) => a.block.usedLength - b.block.usedLength)
  const smallest = Invariant.defined(first, "a machine that is sent has a block")
  return { idstr: smallest.block.idstr, unit: smallest.units - 1 }
}

/** @internal */
export const encodeDiscard = (ledger: PageLedger): Uint8Array => {
  const { idstr, unit } = discarded(ledger)
  const { hostPageSize } = ledger.entry(idstr).block
  return encode({ _tag: "Discard", idstr, ranges: [{ offset: unit * hostPageSize, length: hostPageSize }] })
}

/**
 * The two ends of a package: commands before the device state, with the length of the whole, and commands after it.
 *
 * @internal
 */
export const packageAround = (deviceState: number): { readonly before: Uint8Array; readonly after: Uint8Array } => {
  const listen = encode({ _tag: "Listen" })
  const after = Bytes.concat([encode({ _tag: "Ping", value: Ping.loaded }), encode({ _tag: "Run" })])
  const length = listen.length + deviceState + after.length
  return { before: Bytes.concat([encode({ _tag: "Packaged", length }), listen]), after }
}

/** RAM's END and the last byte of the stream. @internal */
export const encodeEnd = ({ footers, ramSectionId: sectionId }: Framing): Uint8Array =>
  new Uint8Array(
    Buffer.concat([
      SocketSections.encodeOpen("end", sectionId),
      SocketSections.encodeClose({ sectionId, footers }),
      Uint8Array.of(MigrationStream.SectionType.endOfStream)
    ])
  )
