import { assert, describe, it } from "@effect/vitest"
import * as Arbitrary from "effect/Arbitrary"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import * as MigrationCapabilities from "../../src/qemu/MigrationCapabilities.ts"
import * as MigrationParameters from "../../src/qemu/MigrationParameters.ts"
import * as MigrationSettings from "../../src/qemu/MigrationSettings.ts"

const on = (...names: ReadonlyArray<string>) => Object.fromEntries(names.map((name) => [name, true]))

const problems = (input: MigrationSettings.Input, context?: MigrationSettings.Context) => {
  const settings = MigrationSettings.validate(input, context)
  return Result.isSuccess(settings) ? [] : settings.failure.problems.map(({ found, rule }) => `${rule}, found ${found}`)
}

describe("MigrationSettings", () => {
  it("nothing at all, and all defaults, are fine", () => {
    assert.deepStrictEqual(problems({}), [])
    const all = Object.fromEntries(MigrationCapabilities.names.map((name) => [name, false]))
    const old = Object.entries(MigrationParameters.defaults).filter(([name]) => !(name in MigrationParameters.since))
    assert.deepStrictEqual(problems({ capabilities: all, parameters: Object.fromEntries(old) }), [])
    const { "zero-blocks": _, ...present } = all
    const version = { major: 11, minor: 1 }
    assert.deepStrictEqual(
      problems({ capabilities: present, parameters: MigrationParameters.defaults }, { version }),
      []
    )
  })

  it("what a version does not have yet, or no more, is refused", () => {
    const parameters = { "cpr-exec-command": ["qemu", "-S"], "x-rdma-chunk-size": 2 ** 21, mode: "cpr-exec" }
    const capabilities = on("zero-blocks")
    assert.deepStrictEqual(problems({ capabilities, parameters }), [
      "cpr-exec-command: QEMU 11.1 or later, found 10.0",
      "x-rdma-chunk-size: QEMU 11.1 or later, found 10.0",
      "mode=cpr-exec: QEMU 11.1 or later, found 10.0"
    ])
    assert.deepStrictEqual(problems({ capabilities, parameters }, { version: { major: 11, minor: 1 } }), [
      "zero-blocks: QEMU before 11.1, found 11.1"
    ])
  })

  it("names that all objects have are no names of settings", () => {
    const names = { constructor: true, toString: true }
    assert.lengthOf(problems({ capabilities: names, parameters: names }), 4)
  })

  it("colo needs a return path in 11.1", () => {
    const input = { capabilities: on("x-colo") }
    assert.deepStrictEqual(problems(input, { version: { major: 11, minor: 0 } }), [])
    assert.deepStrictEqual(problems(input, { version: { major: 11, minor: 1 } }), [
      "x-colo needs return-path, found no return-path"
    ])
  })

  it("lists all that is wrong, in one error", () => {
    const settings = MigrationSettings.validate(
      {
        capabilities: { ...on("multifd", "xbzrle", "postcopy-ram", "turbo"), "mapped-ram": 1 },
        parameters: { "multifd-channels": 0, speed: 5, "max-cpu-throttle": 10, mode: "fast" }
      },
      { transport: "exec" }
    )
    assert(Result.isFailure(settings))
    assert.strictEqual(settings.failure._tag, "MigrationSettingsError")
    assert.deepStrictEqual(settings.failure.problems, [
      { setting: "turbo", rule: "QEMU must know the capability", found: '"turbo"' },
      { setting: "mapped-ram", rule: "mapped-ram: true or false", found: "1" },
      { setting: "multifd-channels", rule: "multifd-channels: a whole number from 1 to 255", found: "0" },
      { setting: "speed", rule: "QEMU must know the parameter", found: '"speed"' },
      { setting: "mode", rule: "mode: one of normal, cpr-reboot, cpr-transfer, cpr-exec", found: '"fast"' },
      { setting: "multifd", rule: "multifd excludes xbzrle", found: "both" },
      { setting: "multifd", rule: "multifd excludes postcopy-ram", found: "both" },
      {
        setting: "max-cpu-throttle",
        rule: "max-cpu-throttle: not less than cpu-throttle-initial",
        found: "10, where cpu-throttle-initial is 20"
      },
      { setting: "multifd", rule: "multifd needs tcp:, unix: or vsock:, or mapped-ram", found: "exec:" }
    ])
    assert.include(settings.failure.message, "multifd excludes xbzrle (found both); ")
    assert.strictEqual(settings.failure["~effect/Runtime/errorExitCode"], 2)
  })

  for (const { capability, kind, other, since: [major, minor] = [10, 0] } of MigrationCapabilities.rules) {
    const context = { version: { major, minor } }
    it(`${capability} ${kind} ${other}`, () => {
      const rule = `${capability} ${kind} ${other}`
      const both = problems({ capabilities: on(capability, other) }, context).filter((problem) =>
        problem.startsWith(rule)
      )
      const alone = problems({ capabilities: on(capability) }, context).filter((problem) => problem.startsWith(rule))
      assert.lengthOf(kind === "excludes" ? both : alone, 1)
      assert.lengthOf(kind === "excludes" ? alone : both, 0)
    })
  }

  it("postcopy and multifd go together from 10.1 on", () => {
    const input = { capabilities: on("multifd", "postcopy-ram") }
    assert.lengthOf(problems(input), 1)
    assert.lengthOf(problems(input, { version: { major: 9, minor: 2 } }), 1)
    assert.lengthOf(problems(input, { version: { major: 10, minor: 1 } }), 0)
    assert.lengthOf(problems(input, { version: { major: 11, minor: 0 } }), 0)
  })

  it("dirty-limit needs a dirty ring", () => {
    assert.deepStrictEqual(problems({ capabilities: on("dirty-limit") }), [
      "dirty-limit needs KVM with a dirty ring, found none"
    ])
    assert.deepStrictEqual(problems({ capabilities: on("dirty-limit") }, { dirtyRing: true }), [])
  })

  for (const capability of ["mapped-ram", "zero-copy-send"]) {
    it(`${capability} takes pages as they are`, () => {
      const capabilities = on(capability, "multifd")
      assert.deepStrictEqual(
        problems({ capabilities, parameters: { "multifd-compression": "zlib", "tls-creds": "x" } }),
        [`${capability} excludes compression, found "zlib"`, `${capability} excludes TLS, found "x"`]
      )
      assert.deepStrictEqual(problems({ capabilities, parameters: { "tls-creds": null, "tls-hostname": "x" } }), [])
    })
  }

  it("transports carry what they can", () => {
    const accepted = (...names: ReadonlyArray<string>) =>
      MigrationSettings.Transport.literals.filter(
        (transport) => problems({ capabilities: on(...names) }, { transport }).length === 0
      )
    assert.deepStrictEqual(accepted(), [...MigrationSettings.Transport.literals])
    assert.deepStrictEqual(accepted("multifd"), ["tcp", "unix", "vsock"])
    assert.deepStrictEqual(accepted("mapped-ram"), ["file"])
    assert.deepStrictEqual(accepted("multifd", "mapped-ram"), ["file"])
  })

  const limits: ReadonlyArray<
    readonly [MigrationParameters.Parameter, ReadonlyArray<unknown>, ReadonlyArray<unknown>]
  > = [
    ["multifd-channels", [1, 255], [0, 256, 1.5, "2", null]],
    ["multifd-zlib-level", [0, 9], [-1, 10]],
    ["multifd-zstd-level", [0, 20], [-1, 21]],
    ["multifd-qatzip-level", [1, 9], [0, 10]],
    ["downtime-limit", [0, 2_000_000], [-1, 2_000_001]],
    ["max-bandwidth", [0, 2 ** 53 - 1, 2n ** 64n - 1n], [-1, 2 ** 53, -1n, 2n ** 64n]],
    ["vcpu-dirty-limit", [1, 1n], [0, 0n]],
    ["xbzrle-cache-size", [4096, 65536, 2 ** 32], [0, 2048, 4097, 1.5, 2 ** 53 - 1]],
    ["announce-step", [1, 10_000], [0, 10_001]],
    ["x-checkpoint-delay", [0, 2 ** 32 - 1], [2 ** 32]],
    ["throttle-trigger-threshold", [1, 100], [0, 101]],
    ["cpu-throttle-initial", [1, 99], [0, 100]],
    ["multifd-compression", ["none", "zlib", "zstd", "qatzip", "qpl", "uadk"], ["lz4", "", 0]],
    ["zero-page-detection", ["none", "legacy", "multifd"], ["on"]],
    ["direct-io", [true, false], [0, "true"]],
    ["tls-creds", ["", "tls0", null], [0, true]]
  ]
  for (const [name, good, bad] of limits) {
    it(`${name}: ${MigrationParameters.expectations[name]}`, () => {
      for (const value of good) assert.deepStrictEqual(problems({ parameters: { [name]: value } }), [], String(value))
      for (const value of bad) {
        const [problem, ...more] = problems({ parameters: { [name]: value } })
        assert.include(problem, `${name}: ${MigrationParameters.expectations[name]}, found `)
        assert.deepStrictEqual(more, [])
      }
    })
  }

  it("values of any kind can be shown", () => {
    const circular: Record<string, unknown> = {}
    circular["self"] = circular
    for (const value of [circular, { big: 1n }, undefined, Symbol("x"), () => 1, "x".repeat(10_000)]) {
      const [problem] = problems({ parameters: { mode: value } })
      assert.isBelow(problem?.length ?? Infinity, 150)
    }
  })

  const Values = Arbitrary.schema(Schema.Record(Schema.String, Schema.Json))
  it.prop("anything is accepted or refused", { capabilities: Values, parameters: Values }, (input) => {
    const settings = MigrationSettings.validate(input)
    if (Result.isSuccess(settings)) assert.isTrue(Schema.is(MigrationSettings.Settings)(settings.success))
    else assert.isAbove(settings.failure.message.length, 0)
  })

  const Valid = Arbitrary.schema(MigrationParameters.Parameters)
  it.prop("what the schema takes is refused for no value of its own", { parameters: Valid }, ({ parameters }) => {
    const newest = { version: { major: 11, minor: 1 } }
    const values = problems({ parameters }, newest).filter((problem) => !problem.includes("cpu-throttle-initial is"))
    assert.deepStrictEqual(values, [])
  })
})
