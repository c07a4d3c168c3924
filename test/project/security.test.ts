/**
 * SECURITY.md tells the limits that the code has.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Duration from "effect/Duration"
import * as Fs from "node:fs"
import * as Path from "node:path"
import * as PeerLimits from "../../src/multifd/PeerLimits.ts"
import * as PipelineOptions from "../../src/transfer/PipelineOptions.ts"
import { root } from "../support/project/run.ts"

const read = (file: string): string => Fs.readFileSync(Path.join(root, file), "utf8")

const units: Readonly<Record<string, number>> = { KiB: 2 ** 10, MiB: 2 ** 20, GiB: 2 ** 30, TiB: 2 ** 40, s: 1000 }

/** `1 MiB` and `60 s` as numbers, of bytes and of milliseconds. */
const valueOf = (text: string): number => {
  const [number, unit] = text.split(" ")
  return Number(number) * (unit === undefined ? 1 : units[unit]!)
}

const rows = [...read("SECURITY.md").matchAll(/^\| (.+?) +\| (\d[^|]*?) +\| [^|]+\| (.+?) +\|$/gm)].map(
  ([, name, value, where]) => ({ name: name!.replaceAll("`", ""), value: valueOf(value!), where: where! })
)

/** The value of a constant that a source declares: a product of numbers, a text such as `2 seconds`, or so many seconds. */
const constantOf = (file: string, name: string): number => {
  const [, expression] =
    new RegExp(`^(?:export )?const ${name}(?:: number)? = (.+)$`, "m").exec(read(`src/${file}`)) ?? []
  const seconds = /^Duration\.seconds\((\d+)\)$/.exec(expression ?? "")?.[1]
  if (seconds !== undefined) return Number(seconds) * 1000
  assert.match(expression ?? "", /^[\d_]+(?: \* [\d_]+)*$/, `${file}: ${name}`)
  return expression!.split(" * ").reduce((product, factor) => product * Number(factor.replaceAll("_", "")), 1)
}

describe("SECURITY.md", () => {
  it("has the default of every limit that can be set", () => {
    const documented = rows.filter(({ where }) => where === "`multifd/PeerLimits.ts`")
    const defaults = Object.entries(PeerLimits.defaults)
      .map(([name, value]) => [name, Duration.isDuration(value) ? Duration.toMillis(value) : value] as const)
      .filter(([, value]) => Number.isFinite(value))
    assert.deepStrictEqual(
      Object.fromEntries(documented.map(({ name, value }) => [name, value])),
      Object.fromEntries(defaults)
    )
    const channels = rows.find(({ name }) => name === "channels")
    assert.strictEqual(channels?.value, PipelineOptions.limits.channels.maximum)
  })

  it("has the value of every constant that it names", () => {
    const named = rows.flatMap(({ value, where }) => {
      const [, constant, file] = /^`(\w+)` of `([\w/]+\.ts)`$/.exec(where) ?? []
      return constant === undefined ? [] : [{ constant, file: file!, value }]
    })
    assert.isAbove(named.length, 12)
    for (const { constant, file, value } of named) assert.strictEqual(value, constantOf(file, constant), constant)
    assert.lengthOf(named, rows.length - rows.filter(({ where }) => where === "`multifd/PeerLimits.ts`").length - 1)
  })
})
