import { Buffer } from "node:buffer"
import * as Checksum from "../../format/seal/Checksum.ts"
import { Extents } from "../../format/seal/SealedExtents.ts"
import type { DamagedExtent, ExtentDigests } from "../../ram/FileRange.ts"
import * as PageBitmap from "../../ram/PageBitmap.ts"

/**
 * Compares the extents of one job with the seal.
 *
 * @internal
 */
export class ExtentCheck {
  readonly damaged: Array<DamagedExtent> = []
  readonly #extents: Extents
  readonly #expected: Uint8Array
  readonly #length: number
  readonly #pageSize: number

  constructor(checks: ExtentDigests, pageSize: number) {
    const { algorithm, digests, firstExtent, idstr, pages, pagesPerExtent, present } = checks
    const bitmap = PageBitmap.fromBytes(present, pages)
    this.#extents = new Extents({ algorithm, idstr, pagesPerExtent, bitmap, firstIndex: firstExtent })
    this.#expected = digests
    this.#length = Checksum.digestLength(algorithm)
    this.#pageSize = pageSize
  }

  /** `true` if the extent that begins with this page of the range differs from the seal. */
  isDamaged(page: number, data: Uint8Array): boolean {
    const at = page / this.#extents.pagesPerExtent
    const index = this.#extents.firstIndex + at
    const found = this.#extents.digestOf(index, data, this.#pageSize)
    const expected = this.#expected.subarray(at * this.#length, (at + 1) * this.#length)
    if (Buffer.compare(expected, found) === 0) return false
    this.damaged.push({ index, found })
    return true
  }
}
