import * as Effect from "effect/Effect"
import * as Finding from "../../format/Finding.ts"
import type { StreamTail } from "../../format/image/StreamTail.ts"
import * as ProtocolError from "../../multifd/ProtocolError.ts"
import type { Closing, Opening } from "../../multifd/Receiver.ts"

/**
 * Whether a machine can be received: there are blocks, and all of their pages will come. Memory that both machines share
 * would be missing, and nothing on the connection says which blocks it is about.
 *
 * @internal
 */
export const checkOpening = ({
  blocks,
  configuration,
  peer
}: Opening): Effect.Effect<void, ProtocolError.ProtocolError> => {
  const refuse = (code: Finding.FindingCode, expected: string, found: string) =>
    Effect.fail(ProtocolError.fromFinding(peer, "main", Finding.make({ code, offset: 0, expected, found })))
  if (blocks.length === 0) return refuse("block-list-missing", "at least one RAM block", "none")
  return configuration?.capabilities.includes("x-ignore-shared") === true
    ? refuse("configuration-unsupported", "all memory of the guest", "x-ignore-shared, which leaves out some of it")
    : Effect.void
}

/**
 * Whether what followed RAM is a whole device state. Places are those of the connection, however the bytes were kept.
 *
 * @internal
 */
export const checkTail = (
  { findings }: StreamTail,
  place: Pick<Opening, "peer"> & Pick<Closing, "position"> & { readonly from: number }
): Effect.Effect<void, ProtocolError.ProtocolError> => {
  const { from, peer, position } = place
  const [first, ...rest] = findings
    .filter(({ severity }) => severity === "error")
    .map((finding) => Finding.make({ ...finding, offset: finding.offset - from + position }))
  return first === undefined
    ? Effect.void
    : Effect.fail(new ProtocolError.ProtocolError({ peer, channel: "main", findings: [first, ...rest] }))
}
