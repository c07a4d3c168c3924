import { assert, describe, it } from "@effect/vitest"
import * as Arbitrary from "effect/Arbitrary"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import type { Finding } from "../../../src/format/Finding.ts"
import * as LibvirtSave from "../../../src/format/image/LibvirtSave.ts"
import { between } from "../../support/arbitraries.ts"
import * as Bytes from "../../support/bytes.ts"
import * as SparseFile from "../../support/images/sparseFile.ts"

const { concat, hex, text } = Bytes

const parse = (bytes: Uint8Array) => SparseFile.run(LibvirtSave.parse(), SparseFile.fromBytes(bytes), 100)

const codeOf = <A>(result: Result.Result<A, Finding>) => (Result.isFailure(result) ? result.failure.code : "no finding")

/** A header as libvirt 11 writes it: 7 bytes of data, running, sparse, the cookie at 4. */
const header = concat(text("LibvirtQemudSave"), hex("02000000 07000000 01000000 06000000 04000000"), new Uint8Array(56))
const image = concat(header, text("<a>\0<b\0QEVM"))

const change = (at: number, digits: string) => {
  const bytes = image.slice()
  bytes.set(hex(digits), at)
  return bytes
}

describe("a libvirt save image", () => {
  it("is recognised by as much of its magic as there is", () => {
    assert.isTrue(LibvirtSave.isLibvirtSave(image))
    assert.isTrue(LibvirtSave.isLibvirtSave(text("LibvirtQemudPart")))
    assert.isTrue(LibvirtSave.isLibvirtSave(text("Libvirt")))
    assert.isFalse(LibvirtSave.isLibvirtSave(text("LibvirtQemudXxxx")))
    assert.isFalse(LibvirtSave.isLibvirtSave(text("QEVM")))
    assert.isFalse(LibvirtSave.isLibvirtSave(new Uint8Array(0)))
  })

  it("has XML, a cookie, and the stream behind them", () =>
    assert.deepStrictEqual(
      parse(image),
      Result.succeed({ xml: "<a>", cookie: "<b", wasRunning: true, streamOffset: 99 })
    ))

  it("may be of a domain that was paused", () => {
    const result = parse(change(24, "00000000"))
    assert.isFalse(Result.isSuccess(result) && result.success.wasRunning)
  })

  it("may have no cookie, and room behind its XML", () =>
    assert.deepStrictEqual(
      parse(change(32, "00000000")),
      Result.succeed({ xml: "<a>", cookie: undefined, wasRunning: true, streamOffset: 99 })
    ))

  it("may have XML that nothing ends", () =>
    assert.deepStrictEqual(
      parse(concat(header.with(20, 3).with(32, 0), text("<a>QEVM"))),
      Result.succeed({ xml: "<a>", cookie: undefined, wasRunning: true, streamOffset: 95 })
    ))

  it("may have no XML", () =>
    assert.deepStrictEqual(
      parse(header.with(20, 0).with(32, 0)),
      Result.succeed({ xml: "", cookie: undefined, wasRunning: true, streamOffset: 92 })
    ))

  it("may have more XML than one demand brings", () => {
    const xml = "x".repeat(3 * 1024 * 1024)
    const save = { xml, cookie: undefined, wasRunning: false }
    assert.deepStrictEqual(
      parse(LibvirtSave.encode(save)),
      Result.succeed({ ...save, streamOffset: 92 + xml.length + 1 })
    )
  })

  const damages: ReadonlyArray<readonly [string, string, Uint8Array]> = [
    ["another magic", "magic-wrong", change(0, "6c")],
    [
      "the magic of a save that was never finished",
      "libvirt-save-partial",
      concat(text("LibvirtQemudPart"), image.subarray(16))
    ],
    ["version 3", "libvirt-version-unsupported", change(16, "03000000")],
    ["words in big-endian", "libvirt-version-unsupported", change(16, "00000002")],
    ["another format", "libvirt-format-unsupported", change(28, "05000000")],
    ["an unknown format", "libvirt-format-unsupported", change(28, "07000000")],
    ["more data than any domain has", "libvirt-header-corrupt", change(20, "01000001")],
    ["a cookie behind the data", "libvirt-header-corrupt", change(32, "08000000")],
    ["XML that is no text", "name-invalid", change(92, "ff")]
  ]

  for (const [title, code, bytes] of damages) {
    it(`is a finding with ${title}`, () => assert.strictEqual(codeOf(parse(bytes)), code))
  }

  it("may have up to 16 MiB of XML", () => assert.strictEqual(codeOf(parse(change(20, "00000001"))), "stream-cut"))

  it("names the format that it cannot read", () => {
    const result = parse(change(28, "03000000"))
    assert.strictEqual(Result.isFailure(result) ? result.failure.found : "", "xz")
  })

  it("is a finding wherever it is cut", () => {
    for (let length = 0; length < 99; length++) {
      assert.strictEqual(codeOf(parse(image.subarray(0, length))), "stream-cut")
    }
  })

  const texts = Arbitrary.filter(
    Arbitrary.schema(Schema.String.check(Schema.isMaxLength(100))),
    (value) => value.isWellFormed() && !value.includes("\0")
  )

  it.prop("comes back as it went", { xml: texts, cookie: texts, kind: between(0, 3) }, ({ cookie, kind, xml }) => {
    const save = { xml, cookie: kind % 2 === 0 ? undefined : cookie, wasRunning: kind > 1 }
    const bytes = LibvirtSave.encode(save)
    assert.deepStrictEqual(parse(bytes), Result.succeed({ ...save, streamOffset: bytes.length }))
  })

  it.prop("never throws, whatever is changed", { mutation: Bytes.mutation, length: between(0, 110) }, (given) => {
    assert.isTrue(Result.isResult(parse(Bytes.mutate(image, given.mutation).subarray(0, given.length))))
  })
})

describe("libvirt's header", () => {
  it("is written as libvirt writes it", () => {
    const value = { dataLength: 7, wasRunning: true, format: "sparse", cookieOffset: 4 } as const
    assert.deepStrictEqual(LibvirtSave.encodeHeader(value), header)
    assert.deepStrictEqual(LibvirtSave.decodeHeader(header), Result.succeed({ value, end: LibvirtSave.HEADER_BYTES }))
  })
})

describe("uuidOf", () => {
  const uuid = "00112233-4455-6677-8899-aabbccddeeff"

  it("is the domain's, which stands first", () => {
    for (const text of [uuid, uuid.toUpperCase(), `\n  ${uuid} `]) {
      const xml = `<domain><uuid>${text}</uuid><devices><uuid>11111111-0000-0000-0000-000000000000</uuid></devices></domain>`
      assert.strictEqual(LibvirtSave.uuidOf({ xml }), uuid)
    }
  })

  it("is none where there is none", () => {
    const zeros = `<uuid>${"0".repeat(8)}-0000-0000-0000-${"0".repeat(12)}</uuid>`
    for (const xml of ["", "<domain/>", "<uuid>x</uuid>", zeros]) assert.isUndefined(LibvirtSave.uuidOf({ xml }))
  })
})
