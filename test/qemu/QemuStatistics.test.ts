import { assert, describe, it } from "@effect/vitest"
import * as Arbitrary from "effect/Arbitrary"
import * as Schema from "effect/Schema"
import * as QemuStatistics from "../../src/qemu/QemuStatistics.ts"
import * as ExactJson from "../../src/qemu/internal/exactJson.ts"
import * as Result from "effect/Result"

type RamName = keyof QemuStatistics.QemuRamStatistics

const decode = Schema.decodeUnknownSync(QemuStatistics.QemuStatistics)
const parse = (json: string) => decode(Result.getOrThrow(ExactJson.parse(json)))

describe("QemuStatistics", () => {
  it("what QEMU 11.1 answers before it knows its bandwidth", () => {
    const said = parse(
      '{"expected-downtime":9223372036854775807,"remaining":67641344,"status":"active","total-time":3,' +
        '"ram":{"total":67641344,"remaining":18446744073709551615,"transferred":192}}'
    )
    assert.deepStrictEqual(said, {
      status: "active",
      "total-time": 3,
      ram: { total: 67641344, remaining: 2 ** 64, transferred: 192 }
    })
  })
  it("what QEMU 5.2 answers has no precopy-bytes", () => {
    const said = parse('{"status":"active","ram":{"total":4096,"skipped":0,"dirty-sync-count":1}}')
    assert.deepStrictEqual(said.ram, { total: 4096, "dirty-sync-count": 1 })
  })
  it("a status never heard of", () => assert.strictEqual(parse('{"status":"colo-next"}').status, "colo-next"))
  it("what has another form is left out alone", () => {
    assert.deepStrictEqual(
      parse('{"status":7,"ram":{"total":"x","normal":1},"total-time":null,"blocked-reasons":[1]}'),
      {
        ram: { normal: 1 }
      }
    )
    assert.deepStrictEqual(parse('{"ram":[],"downtime":5}'), { downtime: 5 })
  })

  const names = [...Object.keys(QemuStatistics.QemuStatistics.fields), "remaining", "x-new"]
  const ramNames = [...Object.keys(QemuStatistics.QemuRamStatistics.fields), "skipped", "x-new"]
  const Value = Schema.Union([Schema.Number, Schema.BigInt, Schema.String, Schema.Null, Schema.Boolean])
  const some = (all: ReadonlyArray<string>) => Schema.Record(Schema.Literals(all), Schema.optionalKey(Value))
  const said = Arbitrary.schema(Schema.Struct({ top: some(names), ram: some(ramNames), withRam: Schema.Boolean }))

  it.prop("any well-formed answer: numbers are numbers, and nothing is an error", { said }, ({ said }) => {
    const answer = said.withRam ? { ...said.top, ram: said.ram } : said.top
    const { ram = {}, status, ...others } = decode(answer)
    assert.isTrue(status === undefined || typeof status === "string")
    for (const value of Object.values(ram)) assert.strictEqual(typeof value, "number")
    for (const [name, value] of Object.entries(others)) {
      if (name !== "error-desc" && name !== "blocked-reasons") assert.strictEqual(typeof value, "number", name)
    }
    for (const name of Object.keys(QemuStatistics.QemuRamStatistics.fields) as ReadonlyArray<RamName>) {
      const value = said.ram[name]
      if (said.withRam && typeof value === "bigint") assert.strictEqual(ram[name], Number(value))
    }
  })
})
