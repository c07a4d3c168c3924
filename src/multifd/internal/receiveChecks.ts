import * as Effect from "effect/Effect"
import * as Finding from "../../format/Finding.ts"
import * as StreamTrailer from "../../format/image/StreamTrailer.ts"
import * as ByteSource from "../../snapshot/ByteSource.ts"
import type { MachineHeader, StateLayout, StateWriter } from "../../snapshot/SnapshotTarget.ts"
import * as ProtocolError from "../ProtocolError.ts"

/**
 * Refuses a machine that cannot be received as a whole: one without blocks, or one that shares memory with its peer, which
 * would be missing here, and nothing on the connection says which blocks it is about.
 *
 * @internal
 */
export const checkHeader = (
  peer: string,
  { blocks, configuration }: MachineHeader
): Effect.Effect<void, ProtocolError.ProtocolError> => {
  const refuse = (code: Finding.FindingCode, expected: string, found: string) =>
    Effect.fail(ProtocolError.fromFinding(peer, "main", Finding.make({ code, offset: 0, expected, found })))
  if (blocks.length === 0) return refuse("block-list-missing", "at least one RAM block", "none")
  return configuration?.capabilities.includes("x-ignore-shared") === true
    ? refuse("configuration-unsupported", "all memory of the guest", "x-ignore-shared, which leaves out some of it")
    : Effect.void
}

/**
 * Finds the parts of what followed RAM, which began at `position` of the connection, and refuses what is no whole device
 * state. Findings have their places on the connection, however the bytes are kept.
 *
 * @internal
 */
export const layoutOf = Effect.fnUntraced(function* <E>(
  { written }: StateWriter<unknown, E>,
  place: { readonly peer: string; readonly position: number; readonly footers: boolean }
): Effect.fn.Return<StateLayout, E | ProtocolError.ProtocolError> {
  const { footers, peer, position } = place
  const bytes = yield* written
  const tail = yield* ByteSource.parse(bytes, StreamTrailer.parse({ from: 0, to: bytes.length, footers }))
  const [first, ...rest] = tail.findings
    .filter(({ severity }) => severity === "error")
    .map((finding) => Finding.make({ ...finding, offset: finding.offset + position }))
  if (first === undefined) return tail
  return yield* new ProtocolError.ProtocolError({ peer, channel: "main", findings: [first, ...rest] })
})
