import * as Effect from "effect/Effect"
import * as Finding from "../../format/Finding.ts"
import type { ParsedImage } from "../../format/image/ImageStream.ts"
import * as StreamTrailer from "../../format/image/StreamTrailer.ts"
import type * as ImageSeal from "../../format/seal/ImageSeal.ts"
import type { FileError } from "../../io/files/FileError.ts"
import type { PositionalFile } from "../../io/files/PositionalFile.ts"
import { checkRest, limitOf, type RestCheck, sealOf, type SealState, type Unsealed } from "./readSealModel.ts"
import type { Source } from "./verifiedRest.ts"
import * as ByteSource from "../../snapshot/ByteSource.ts"

/** The data after RAM, and the remaining facts about the seal. */
interface Tail extends Pick<Unsealed, "findings">, Pick<RestCheck, "verified"> {
  /** The seal, unless it is another image's. */
  readonly seal: ImageSeal.Seal | undefined
  /** `undefined` if RAM has no end. */
  readonly trailer: StreamTrailer.StreamTrailer | undefined
}

interface Sized<E> {
  readonly file: Source<E>
  readonly fileSize: number
}

/**
 * Reads the data after RAM up to a limit. Later data in the file bounds it: a region, a bitmap or a seal may follow.
 *
 * @internal
 */
export const parse = <E>(
  { file, fileSize }: Sized<E>,
  { blocks, footers }: ParsedImage,
  { from, limit }: { readonly from: number; readonly limit: number }
): Effect.Effect<StreamTrailer.StreamTrailer, E> => {
  const behind = blocks
    .filter((block) => !block.ignored)
    .flatMap(({ header }) => [header.bitmapOffset, header.pagesOffset])
    .filter((position) => position >= from)
  const to = Math.max(from, Math.min(limit, ...behind))
  return ByteSource.parse(ByteSource.fromFile(file, 0, fileSize), StreamTrailer.parse({ from, to, footers }))
}

/** `true` if there is a seal, valid or not. */
const isSealed = (state: SealState): boolean =>
  state._tag !== "Unsealed" || state.findings.some(({ severity }) => severity === "error")

const stale = (offset: number, found: number): Finding.Finding =>
  Finding.make({
    code: "seal-stale",
    offset,
    expected: "the stream that the checksums were made for, which ends here",
    found: `one that ends at ${found}`
  })

/**
 * Reads the data after RAM. The mark gives its end. But when QEMU writes another image over a sealed one on a device,
 * the old mark remains and does not apply to the new image. A stream with a description gives its own end.
 *
 * ```text
 *   up to where the mark says   anything behind    the image
 *   as it was sealed                               the one that was sealed
 *   whole, but ends elsewhere                      another one: `seal-stale`
 *   not whole                   whole              another one: `seal-stale`
 *   whole, same end, other bytes                   damaged, or another one: `stream-checksum-wrong`
 *   not whole                   not whole          damaged: what is not whole, and `stream-checksum-wrong`
 * ```
 *
 * @internal
 */
export const readTrailer = Effect.fnUntraced(function* (
  sized: Sized<FileError> & { readonly file: PositionalFile },
  stream: ParsedImage,
  sealed: SealState
): Effect.fn.Return<Tail, FileError> {
  const { stateStart: from } = stream
  const { file, fileSize } = sized
  const [limit, seal] = [limitOf(sealed, fileSize), sealOf(sealed)]
  const findings = sealed._tag === "Unsealed" ? sealed.findings : []
  if (from === undefined) return { trailer: undefined, seal, findings }
  const within = yield* parse(sized, stream, { from, limit })
  const check: RestCheck = seal === undefined ? { findings: [] } : yield* checkRest(file, stream, seal, fileSize)
  const { findings: rest, verified } = check
  const isAsSealed = seal !== undefined && rest.length === 0
  if (isAsSealed || limit >= fileSize) return { trailer: within, seal, findings: [...findings, ...rest], verified }

  const whole = within.findings.length === 0 ? within : yield* parse(sized, stream, { from, limit: fileSize })
  const isOther = whole.findings.length === 0 && (seal === undefined ? whole.end > limit : whole.end !== seal.end)
  if (!isOther) return { trailer: within, seal, findings: [...findings, ...rest] }
  return {
    trailer: whole,
    seal: undefined,
    findings: isSealed(sealed) ? [stale(limit, whole.end)] : findings
  }
})
