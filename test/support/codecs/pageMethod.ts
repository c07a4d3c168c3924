/**
 * What holds for the methods that compress each page on its own.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type { Codec } from "../../../src/compression/Compression.ts"
import { failureOf, pagesOf, payloadsOf } from "./contract.ts"
import * as Packets from "./packets.ts"

const PAGE = 4096

/** A payload of these pages, compressed or not. */
export const payload = (pages: ReadonlyArray<Uint8Array>): Buffer => {
  const table = Buffer.alloc(4 * pages.length)
  pages.forEach(({ length }, page) => table.writeUInt32BE(length, 4 * page))
  return Buffer.concat([table, ...pages])
}

/** The pages of a payload, compressed or not. */
export const split = (payload: Buffer, count: number): ReadonlyArray<Buffer> => {
  let start = 4 * count
  const pages = Array.from({ length: count }, (_, page) =>
    payload.subarray(start, (start += payload.readUInt32BE(4 * page)))
  )
  assert.strictEqual(start, payload.length)
  return pages
}

/** One page of each kind, of any size. */
const kinds = Packets.mixed(3)

/** Runs the tests. `deflate` and `inflate` are the method's format, made and read by others, for one page. */
export const describePages = (
  codec: Codec,
  {
    deflate,
    inflate
  }: { readonly deflate: (page: Uint8Array) => Buffer; readonly inflate: (bytes: Uint8Array) => Buffer }
) =>
  describe("page by page", () => {
    it("has one level, and room for every page stored", () => {
      assert.deepStrictEqual(codec.levels, { min: 1, max: 1, default: 1 })
      assert.strictEqual(codec.maxPayload(128, PAGE), 128 * (4 + PAGE))
    })

    for (const pageSize of [1024, PAGE, 65536])
      it.effect(
        `makes lengths and complete streams of pages of ${pageSize} bytes, and stores what does not shrink`,
        () =>
          Effect.gen(function* () {
            const [made, none] = yield* payloadsOf(codec, [kinds, []], { pageSize })
            assert.lengthOf(none!, 0)
            split(made!, 3).forEach((bytes, page) => {
              const expected = Buffer.from(Packets.contents([kinds[page]!], pageSize))
              assert.strictEqual(bytes.length === pageSize, kinds[page]!.kind === "random")
              assert.deepStrictEqual(bytes.length === pageSize ? bytes : inflate(bytes), expected)
            })
          })
      )

    it.effect("takes what others make of pages, stored ones too", () =>
      Effect.gen(function* () {
        const decompressor = yield* codec.decompressor
        const pages = Packets.mixed(64).map((page) => Packets.contents([page], PAGE))
        const packet = (pack: (page: Uint8Array, index: number) => Uint8Array) =>
          pagesOf(decompressor, payload(pages.map(pack)), pages.length * PAGE)
        const expected = new Uint8Array(Buffer.concat(pages))
        assert.deepStrictEqual(yield* packet((page) => page), expected)
        const shrunk = (page: Uint8Array) => (deflate(page).length < PAGE ? deflate(page) : page)
        assert.deepStrictEqual(yield* packet(shrunk), expected)
        assert.deepStrictEqual(yield* packet((page, index) => (index % 2 === 0 ? page : shrunk(page))), expected)
      })
    )

    const text = Packets.contents([kinds[0]!], PAGE)
    const refuses = (
      what: string,
      bytes: Uint8Array,
      expected: { readonly problem: string; readonly message: string | RegExp }
    ) =>
      it.effect(`refuses ${what}`, () =>
        Effect.gen(function* () {
          const error = yield* failureOf(codec, bytes, 2 * PAGE)
          assert.strictEqual(error.problem, expected.problem)
          if (typeof expected.message === "string")
            assert.strictEqual(error.message, `${codec.method} payload${expected.message}`)
          else assert.match(error.message, expected.message)
        })
      )
    const lengths = (...values: ReadonlyArray<number>): Buffer => {
      const table = Buffer.alloc(4 * values.length)
      values.forEach((value, page) => table.writeUInt32BE(value, 4 * page))
      return table
    }

    refuses("a table of lengths that is cut", new Uint8Array(7), {
      problem: "incomplete",
      message: ": expected a table of 2 lengths, 8 bytes, found 7 bytes"
    })
    refuses("a length of 0", Buffer.concat([lengths(PAGE, 0), text]), {
      problem: "length-out-of-range",
      message: ", page 1 of the packet: expected a length of 1 to 4096, found 0"
    })
    refuses("a length of more than a page", Buffer.concat([lengths(4097, PAGE), text, text]), {
      problem: "length-out-of-range",
      message: ", page 0 of the packet: expected a length of 1 to 4096, found 4097"
    })
    refuses("a length of 4 GiB", lengths(0xffffffff, 1), {
      problem: "length-out-of-range",
      message: ", page 0 of the packet: expected a length of 1 to 4096, found 4294967295"
    })
    refuses("a length of more than is there", Buffer.concat([lengths(100, PAGE), text]), {
      problem: "length-out-of-range",
      message: ", page 1 of the packet: expected at most the 3996 bytes left, found 4096"
    })
    refuses("lengths of less than is there", Buffer.concat([payload([text, text]), Buffer.alloc(3)]), {
      problem: "input-left-over",
      message: ": expected lengths that add up to 8195, found 8192"
    })
    refuses("a page of another format", payload([text, Buffer.alloc(100, 0xff)]), {
      problem: "corrupt",
      message: /page 1 of the packet: expected a valid stream, found .* \(Z_DATA_ERROR\)$/
    })
    refuses("a page whose stream is cut", payload([deflate(text).subarray(0, -2), text]), {
      problem: "incomplete",
      message: ", page 0 of the packet: expected a complete stream, found one that continues past its end"
    })
    refuses("a page with bytes behind its stream", payload([text, Buffer.concat([deflate(text), Buffer.alloc(2)])]), {
      problem: "input-left-over",
      message: /page 1 of the packet: expected a stream of \d+ bytes, found one that ends after \d+$/
    })
    refuses("a page of too few bytes", payload([text, deflate(text.subarray(1))]), {
      problem: "too-little-output",
      message: ", page 1 of the packet: expected 4096 bytes after decompression, found 4095 bytes"
    })
    refuses("a page of one byte too many", payload([deflate(Buffer.concat([text, text.subarray(0, 1)])), text]), {
      problem: "too-much-output",
      message: ", page 0 of the packet: expected 4096 bytes after decompression, found more"
    })
    refuses("a page that is a bomb", payload([deflate(new Uint8Array(3 * 1024 * 1024)), text]), {
      problem: "too-much-output",
      message: /page 0 of the packet/
    })
  })
