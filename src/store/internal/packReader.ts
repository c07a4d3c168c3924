import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import { Buffer } from "node:buffer"
import * as Frame from "../../format/store/Frame.ts"
import * as ObjectName from "../../format/store/ObjectName.ts"
import * as PackFile from "../../format/store/PackFile.ts"
import type { PackReference } from "../../format/store/PageMap.ts"
import * as Finding from "../../format/Finding.ts"
import * as Repository from "../Repository.ts"

/** @internal */
export const packName = ({ number, snapshot, writer }: Pick<PackReference, "number" | "snapshot" | "writer">): string =>
  ObjectName.format({ kind: "pack", snapshot, writer, number })

/** The key of a pack; `undefined` if the store is not encrypted. @internal */
export const packKey = (
  repository: Repository.Repository,
  name: string,
  salt: Uint8Array
): PackFile.PackKey | undefined => {
  const sealing = Repository.sealingOf(repository, name)
  return sealing === undefined ? undefined : PackFile.keyOf(sealing, salt)
}

const wrong = (offset: number, expected: string, found: string): Result.Result<never, Finding.Finding> =>
  Result.fail(Finding.make({ code: "store-pack-corrupt", offset, expected, found }))

/** The trailer, if its footer and its counts match the map. */
const checkedTrailer = (
  pack: PackReference,
  bytes: Uint8Array,
  key: PackFile.PackKey | undefined
): Result.Result<PackFile.Trailer, Finding.Finding> => {
  const end = pack.trailerPosition + pack.trailerBytes + PackFile.FOOTER_BYTES
  if (bytes.length !== end - pack.trailerPosition) {
    return wrong(pack.trailerPosition, `a pack of ${end} bytes`, `${pack.trailerPosition + bytes.length} bytes`)
  }
  const footer = Repository.sha256Of(bytes.subarray(-PackFile.FOOTER_BYTES))
  if (footer !== Buffer.from(pack.footerDigest).toString("hex")) {
    return wrong(end - PackFile.FOOTER_BYTES, "the footer in the map", "another one")
  }
  return Result.flatMap(PackFile.decodeEnd(bytes, pack.trailerPosition, pack.snapshot, key), (trailer) => {
    const pages = trailer.frames.reduce((sum, frame) => sum + frame.pages, 0)
    return pages === pack.pages && trailer.frames.length === pack.frames
      ? Result.succeed(trailer)
      : wrong(
          pack.trailerPosition,
          `${pack.pages} pages in ${pack.frames} frames`,
          `${pages} in ${trailer.frames.length}`
        )
  })
}

/**
 * Reads the trailer of a pack, and compares it with the map.
 *
 * @internal
 */
export const readTrailer = Effect.fnUntraced(function* (repository: Repository.Repository, pack: PackReference) {
  const name = packName(pack)
  const length = pack.trailerBytes + PackFile.FOOTER_BYTES
  const bytes = yield* repository.objects.get(name, { offset: pack.trailerPosition, length })
  const key = packKey(repository, name, pack.salt)
  return yield* Repository.decoded(repository.objects, name, checkedTrailer(pack, bytes, key))
})

/**
 * The pages of a frame from its stored bytes; `position` is their position in the pack.
 *
 * @internal
 */
export const openFrame = (
  frame: Frame.Frame,
  number: number,
  stored: Uint8Array,
  position: number,
  key: PackFile.PackKey | undefined
): Result.Result<Uint8Array, Finding.Finding> => {
  if (!Frame.isIntact(frame, stored)) return wrong(position, "a frame that matches its CRC-32", "another checksum")
  const coded = key === undefined ? stored : PackFile.openFrame(key, number, stored)
  return coded === undefined
    ? Result.fail(
        Finding.make({
          code: "store-object-forged",
          offset: position,
          expected: "a frame sealed for this place",
          found: "another key, another pack or damage"
        })
      )
    : Frame.decode(frame, coded, position)
}
