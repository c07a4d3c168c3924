import * as Effect from "effect/Effect"
import * as Finding from "../../format/Finding.ts"
import * as StreamTrailer from "../../format/image/StreamTrailer.ts"
import * as ByteSource from "../../snapshot/ByteSource.ts"
import type { MachineHeader, StateLayout, StateWriter } from "../../snapshot/SnapshotTarget.ts"
import * as ProtocolError from "../ProtocolError.ts"

/**
 * Refuses a machine that cannot be received completely: one without blocks, or one that shares memory with its peer.
 * The shared memory would be missing here, and nothing on the connection identifies its blocks.
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
 * Finds the parts of the data after RAM, which began at `position` of the connection, and refuses an incomplete device
 * state. Findings have positions on the connection, regardless of where the bytes are kept.
 *
 * @internal
 */
export const layoutOf = Effect.fnUntraced(function* <E>(
  { written }: StateWriter<unknown, E>,
  place: { readonly peer: string; readonly position: number; readonly footers: boolean }
): Effect.fn.Return<StateLayout, E | ProtocolError.ProtocolError> {
  const { footers, peer, position } = place
  const bytes = yield* written
  const trailer = yield* ByteSource.parse(bytes, StreamTrailer.parse({ from: 0, to: bytes.length, footers }))
  const [first, ...rest] = trailer.findings
    .filter(({ severity }) => severity === "error")
    .map((finding) => Finding.make({ ...finding, offset: finding.offset + position }))
  if (first === undefined) return trailer
  return yield* new ProtocolError.ProtocolError({ peer, channel: "main", findings: [first, ...rest] })
})
