import { assert, describe, it } from "@effect/vitest"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import { parse } from "../../../src/cli/internal/blockArgument.ts"

const parsed = (text: string) => Result.getOrThrow(parse(text))
const refused = (text: string) => {
  const result = parse(text)
  assert(Result.isFailure(result), `${text} was accepted`)
  return result.failure
}

describe("--block", () => {
  it("is a name and a path", () => {
    assert.deepStrictEqual(parsed("pc.ram=/dev/shm/ram"), { idstr: "pc.ram", path: "/dev/shm/ram" })
  })

  it("takes a range, in either order and in QEMU's forms of numbers", () => {
    const range = { idstr: "m", path: "f", offset: 1536, length: 2 ** 30 }
    assert.deepStrictEqual(parsed("m=f,offset=1.5k,length=1G"), range)
    assert.deepStrictEqual(parsed("m=f,length=0x40000000,offset=1536"), range)
    assert.deepStrictEqual(parsed("m=f,offset=0"), { idstr: "m", path: "f", offset: 0 })
  })

  it("takes QEMU's names, and cuts at the first =", () => {
    assert.strictEqual(parsed("/rom@etc/acpi/tables=f").idstr, "/rom@etc/acpi/tables")
    assert.deepStrictEqual(parsed("0000:00:02.0/vga.vram=a=b"), { idstr: "0000:00:02.0/vga.vram", path: "a=b" })
  })

  it("keeps commas that begin no option", () => {
    assert.strictEqual(parsed("m=ram,old.bin").path, "ram,old.bin")
    assert.deepStrictEqual(parsed("m=a,b,length=4k"), { idstr: "m", path: "a,b", length: 4096 })
  })

  it("refuses what is incomplete", () => {
    for (const text of ["", "pc.ram", "=path", "pc.ram=", "pc.ram=,offset=1"]) {
      assert.strictEqual(refused(text).expected, "ID=PATH[,offset=N][,length=N]")
    }
  })

  it("refuses - for a stream, which has no places for pages", () => {
    assert.strictEqual(refused("m=-").expected, 'a file or a device, or "./-" for a file of that name')
    assert.strictEqual(refused("m=-,offset=1M").found, "-")
    assert.strictEqual(parsed("m=./-").path, "./-")
  })

  it("refuses options that it does not know, that come twice, or that are followed by anything", () => {
    assert.strictEqual(refused("m=f,ofset=1M").expected, "offset=N or length=N")
    assert.strictEqual(refused("m=f,offset=1M,readonly").found, "readonly")
    assert.strictEqual(refused("m=f,offset=1M,offset=2M").expected, "offset= once")
  })

  it("refuses numbers that are none, and says which", () => {
    for (const size of ["", "-1", "1Q", "0x20M", "9P4", "1e3"]) {
      const error = refused(`m=f,length=${size}`)
      assert.strictEqual(error.found, size)
      assert.include(error.message, "length in bytes")
    }
  })

  it.prop(
    "reads back what it can name",
    {
      name: Schema.String.check(Schema.isPattern(/^[^=]+$/)),
      path: Schema.String.check(Schema.isPattern(/^[^,]+$/)),
      offset: Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER })),
      length: Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER }))
    },
    ({ length, name, offset, path: any }) => {
      const path = any === "-" ? "./-" : any
      assert.deepStrictEqual(parsed(`${name}=${path},offset=${offset},length=${length}`), {
        idstr: name,
        path,
        offset,
        length
      })
    }
  )

  it.prop("never throws", { text: Schema.String }, ({ text }) => {
    parse(text)
    parse(`m=f,${text}`)
    parse(`m=f,offset=${text}`)
  })
})
