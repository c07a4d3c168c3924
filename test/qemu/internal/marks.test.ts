import { assert, describe } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Marks from "../../../src/qemu/internal/marks.ts"
import * as FakeQemu from "../../support/worlds/fakeQemu.ts"
import * as World from "../../support/worlds/capture.ts"

type Property = readonly [type: string, property: string, value: string]

/** What QEMU 10.0 lists for a machine type of 8.0, and for its own. */
const of80: ReadonlyArray<Property> = [
  ["migration", "send-switchover-start", "off"],
  ["vfio-pci", "x-migration-multifd-transfer", "off"],
  ["migration", "zero-page-detection", "legacy"],
  ["migration", "multifd-flush-after-each-section", "on"]
]
const newest: ReadonlyArray<Property> = [["virtio-net-pci", "multifd-flush-after-each-section", "on"]]
const overruled: ReadonlyArray<Property> = [...of80, ["migration", "multifd-flush-after-each-section", "off"]]

const listed = (name: string, properties: ReadonlyArray<Property>) => [
  { name: "other", "cpu-max": 1, "compat-props": [] },
  {
    name,
    "cpu-max": 1,
    "compat-props": properties.map(([type, property, value]) => ({ "qom-type": type, property, value }))
  }
]

interface Case {
  readonly machine: string
  readonly version?: readonly [major: number, minor: number]
  /** What QEMU answers; `undefined`: it does not know the question. */
  readonly properties?: ReadonlyArray<Property>
  readonly noted?: "each-section" | "each-round"
  readonly marks: "each-section" | "each-round" | undefined
}

const cases: ReadonlyArray<Case> = [
  { machine: "pc-i440fx-8.0", marks: "each-section" },
  { machine: "pc-q35-8.1", marks: "each-round" },
  { machine: "pc-i440fx-jammy", version: [8, 2], marks: "each-section" },
  { machine: "pc-i440fx-noble-v2", version: [8, 2], marks: "each-round" },
  { machine: "pc-q35-10.0", noted: "each-section", marks: "each-section" },
  { machine: "pc-q35-7.2", version: [7, 2], marks: "each-section" },
  { machine: "microvm", version: [7, 2], noted: "each-round", marks: "each-section" },
  { machine: "microvm", version: [8, 0], marks: "each-section" },
  { machine: "microvm", version: [8, 1], noted: "each-section", marks: "each-round" },
  { machine: "none", version: [8, 2], marks: "each-round" },
  { machine: "microvm", properties: newest, noted: "each-section", marks: "each-round" },
  { machine: "vendor-9", properties: of80, noted: "each-round", marks: "each-section" },
  { machine: "vendor-9", properties: newest, marks: "each-round" },
  { machine: "vendor-9", properties: overruled, marks: "each-round" },
  { machine: "vendor-9", noted: "each-section", marks: "each-section" },
  { machine: "vendor-9", noted: "each-round", marks: "each-round" },
  { machine: "vendor-9", marks: undefined }
]

const wanted = { channels: 3, compression: "zstd" } as const

/** The way to a QEMU, what was said of it, and what the QEMU was asked. */
const way = Effect.fnUntraced(function* (
  { machine, noted, properties, version: [major, minor] = [10, 0] }: Omit<Case, "marks">,
  asked: Parameters<typeof Marks.wayTo>[1] = wanted
) {
  const questions: Array<unknown> = []
  const problems: Array<string> = []
  const { qmp } = yield* FakeQemu.make((state) => (state.version = { major, minor, micro: 0 }), {
    "query-machines": (args) => {
      questions.push(args)
      return properties === undefined
        ? Effect.fail("Parameter 'compat-props' is unexpected")
        : Effect.succeed(listed(machine, properties))
    }
  })
  const onProblem = (problem: string) => Effect.sync(() => void problems.push(problem))
  const found = yield* Marks.wayTo({ qmp, source: { notes: { marks: noted } }, machine }, asked, onProblem)
  return { found, problems, questions }
})

describe("the way to a QEMU", () => {
  for (const { marks, ...situation } of cases) {
    const { machine, noted, properties, version = [10, 0] } = situation
    const said = [
      properties === undefined
        ? "that does not tell"
        : properties === of80
          ? "that tells of a flush"
          : properties === overruled
            ? "that tells of an overruled flush"
            : "that tells",
      ...(noted === undefined ? [] : [`after ${noted}`])
    ]
    const name = `${machine} on ${version.join(".")} ${said.join(", ")}: ${marks ?? "without multifd"}`
    World.test(name, () =>
      Effect.gen(function* () {
        const { found, problems, questions } = yield* way(situation)
        const zeroPageDetection = version[0] < 9 ? "legacy" : undefined
        const expected =
          marks === undefined
            ? { channels: 0, compression: "none", zeroPageDetection }
            : { ...wanted, marks, zeroPageDetection }
        assert.deepStrictEqual(found, expected as typeof found)
        assert.strictEqual(problems.length, marks === undefined ? 1 : 0)
        const asks = version[0] > 7 && !(version[0] === 8 && version[1] === 0) && /^(vendor|microvm|none)/.test(machine)
        assert.deepStrictEqual(questions, asks ? [{ "compat-props": true }] : [])
      })
    )
  }

  World.test("is not asked for without channels", () =>
    Effect.gen(function* () {
      const { found, problems, questions } = yield* way({ machine: "vendor-9" }, { channels: 0, compression: "none" })
      assert.deepStrictEqual(found, { channels: 0, compression: "none", zeroPageDetection: undefined })
      assert.deepStrictEqual([problems, questions], [[], []])
    })
  )
})
