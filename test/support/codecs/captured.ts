/**
 * The captured payloads, see `test/fixtures/compression/README.md`.
 */
import * as Fs from "node:fs"
import * as Path from "node:path"

const PAGE = 4096

/** Pages of each captured packet. */
const counts = [128, 128, 44]

const folder = Path.resolve(import.meta.dirname, "../../fixtures/compression")

const page = (number: number): Buffer => Buffer.alloc(PAGE, `page ${number} of the guest, `)

/** The payloads with the pages that they were made of. */
export const packets = (
  file: string,
  lengths: ReadonlyArray<number>
): ReadonlyArray<readonly [payload: Uint8Array, pages: Uint8Array]> => {
  const captured = Fs.readFileSync(Path.join(folder, file))
  let start = 0
  let first = 0
  return lengths.map((length, packet) => {
    const payload = captured.subarray(start, (start += length))
    const pages = Array.from({ length: counts[packet]! }, () => page(first++))
    return [payload, new Uint8Array(Buffer.concat(pages))] as const
  })
}
