/**
 * Tests run where their QEMU is there, fail where it must not be missing, and are skipped elsewhere, with a message.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as ChildProcess from "node:child_process"
import * as Fs from "node:fs"
import * as Path from "node:path"
import { itSpace } from "../support/qemu/it.ts"
import * as Workspace from "../support/qemu/workspace.ts"

const ROOT = Path.resolve(import.meta.dirname, "../..")
const VITEST = Path.join(ROOT, "node_modules/vitest/vitest.mjs")
const FIXTURE = "test/support/qemu/peers.fixture.ts"

const Report = Schema.fromJsonString(
  Schema.Struct({
    testResults: Schema.Array(
      Schema.Struct({
        assertionResults: Schema.Array(
          Schema.Struct({
            ancestorTitles: Schema.Array(Schema.String),
            status: Schema.String,
            failureMessages: Schema.Array(Schema.String)
          })
        )
      })
    )
  })
)

/** A program that says that it is a QEMU of some version, or one that does not start. */
const fake = (space: Workspace.Workspace, version: string): string => {
  const path = space.file(`qemu-${version}`)
  const script = version === "broken" ? "exit 127" : `echo "QEMU emulator version ${version} (a fake)"`
  Fs.writeFileSync(path, `#!/bin/sh\n${script}\n`, { mode: 0o755 })
  return path
}

/** What became of the tests of the fixture, by the name of their group. */
const outcomes = (qemu: string, qemus: ReadonlyArray<string>, isRequired: boolean, onlyDefault = false) =>
  Effect.gen(function* () {
    const args = [VITEST, "run", "--root", ROOT, "--config", Path.join(ROOT, "test/support/qemu/fixture.config.ts")]
    const env = {
      ...process.env,
      CI: "",
      QEMU: qemu,
      QEMUS: qemus.join(":"),
      REQUIRE_QEMU: isRequired ? "1" : "0",
      QEMU_ONLY: onlyDefault ? "1" : ""
    }
    const report = Path.join(yield* Workspace.directory(), "report.json")
    const reporting = ["--reporter", "json", "--outputFile", report]
    ChildProcess.spawnSync(process.execPath, [...args, ...reporting, FIXTURE], { cwd: ROOT, env })
    const { testResults } = yield* Schema.decodeUnknownEffect(Report)(Fs.readFileSync(report, "utf8"))
    return testResults
      .flatMap(({ assertionResults }) => assertionResults)
      .map(({ ancestorTitles, failureMessages, status }) =>
        [ancestorTitles.join(" "), status, ...failureMessages.map((text) => text.split("\n")[0])].join(": ")
      )
  })

const MISSING = (version: string) => `needs QEMU ${version}: name its binary in QEMUS, as .ci/run does`

describe("tests that need a QEMU", () => {
  it.live(
    "run with those that are there; where an old one is missing they are skipped, even where QEMU is mandatory",
    () =>
      Effect.gen(function* () {
        const space = yield* Workspace.make
        const [default_, newest] = [fake(space, "10.0.2"), fake(space, "11.1.3")]
        assert.deepStrictEqual(yield* outcomes(default_, [newest, fake(space, "broken")], true), [
          "the default QEMU: passed",
          `QEMU 5.2: QEMU (skipped: ${MISSING("5.2")}): skipped`,
          "QEMU 10.0: QEMU: passed",
          "QEMU 11.1: QEMU: passed"
        ])
      })
  )

  itSpace("fail where 10.0 or 11.1 is missing and QEMU is mandatory", function* (space) {
    const [oldest, broken] = [fake(space, "5.2.0"), fake(space, "broken")]
    const found = yield* outcomes(broken, [oldest], true)
    assert.lengthOf(found, 4)
    assert.match(found[0]!, /^the default QEMU: failed: .*needs QEMU 9\.0 or newer/)
    assert.strictEqual(found[1], "QEMU 5.2: QEMU: passed")
    assert.include(found[2], "QEMU 10.0: QEMU: failed")
    assert.include(found[2], MISSING("10.0"))
    assert.include(found[3], "QEMU 11.1: QEMU: failed")
    assert.include(found[3], MISSING("11.1"))
  })

  itSpace("are skipped where only the default QEMU is asked for, unless they are of that one", function* (space) {
    const found = yield* outcomes(fake(space, "11.1.3"), [fake(space, "5.2.0")], true, true)
    assert.strictEqual(found[0], "the default QEMU: passed")
    for (const outcome of found.slice(1)) assert.match(outcome, /\(skipped: QEMU_ONLY .*\): skipped$/)
  })

  it.live("are skipped where nothing is there and nothing is mandatory", () =>
    Effect.gen(function* () {
      const found = yield* outcomes("/nonexistent/qemu", [], false)
      assert.lengthOf(found, 4)
      for (const outcome of found) assert.match(outcome, /\(skipped: needs QEMU .*\): skipped$/)
    })
  )
})
