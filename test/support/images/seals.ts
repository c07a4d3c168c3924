import * as Result from "effect/Result"
import * as Checksum from "../../../src/format/seal/Checksum.ts"
import * as ImageSeal from "../../../src/format/seal/ImageSeal.ts"
import * as ImageStream from "../../../src/format/image/ImageStream.ts"

/** A machine that QEMU knows. */
export const configuration = { machine: "pc-i440fx-10.0", capabilities: ["mapped-ram"] }

export const shapes = [
  { idstr: "pc.ram", usedLength: 0x2000000, pageSize: 4096 },
  { idstr: "pc.bios", usedLength: 0x40000, pageSize: 4096 }
]

export const algorithms = Object.keys(Checksum.algorithms) as ReadonlyArray<Checksum.Algorithm>

/** A seal of `shapes` whose digests are of nothing. */
export const sealOf = (algorithm: Checksum.Algorithm, extentSize: number): ImageSeal.Seal => {
  const { blocks } = ImageStream.head({ configuration, blocks: shapes })
  const length = Checksum.digestLength(algorithm)
  return {
    algorithm,
    extentSize,
    start: 0,
    end: 0x2345678,
    rest: new Uint8Array(length).fill(7),
    blocks: blocks.map(({ header, idstr, usedLength }) => ({
      idstr,
      usedLength,
      pageSize: header.pageSize,
      bitmapOffset: header.bitmapOffset,
      pagesOffset: header.pagesOffset,
      digests: new Uint8Array(ImageSeal.extentCount({ idstr, usedLength, pageSize: 4096 }, extentSize) * length).fill(9)
    })),
    notes: {}
  }
}

/** The code of what is wrong, if something is. */
export const codeOf = (result: Result.Result<unknown, { readonly code: string }>): string | undefined =>
  Result.isFailure(result) ? result.failure.code : undefined
