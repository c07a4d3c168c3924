/** What is made of the definitions of the commands is what is in the repository. */
import { assert, describe, it } from "@effect/vitest"
import * as ChildProcess from "node:child_process"
import * as Fs from "node:fs"
import * as Path from "node:path"
import { commands } from "../../src/cli/internal/commands.ts"
import { generated } from "../../scripts/generated.ts"
import { root } from "../support/project/run.ts"

const manual = Fs.readdirSync(Path.join(root, "man")).map((name) => `man/${name}`)

/** What a program that checks manual pages says of one; nothing where all is well. */
const complaints = (program: string, args: ReadonlyArray<string>, page: string): string => {
  const { status, stderr, stdout } = ChildProcess.spawnSync(program, [...args, Path.join(root, page)], {
    encoding: "utf8",
    env: { ...process.env, MANWIDTH: "80", LC_ALL: "C.UTF-8" }
  })
  assert.strictEqual(status, 0, `${program} ${page}: ${stderr}`)
  return program === "man" ? stderr : stdout + stderr
}

const isThere = (program: string): boolean => ChildProcess.spawnSync(program, ["--version"]).error === undefined

describe("manual pages", () => {
  it("there is one for the program and one for each command, and the package lists them", async () => {
    const names = ["multifd", ...commands.map(({ name }) => `multifd-${name}`)].map((name) => `man/${name}.1`)
    assert.deepStrictEqual(manual.toSorted(), names.toSorted())
    const { man } = JSON.parse(Fs.readFileSync(Path.join(root, "package.json"), "utf8"))
    assert.deepStrictEqual([...man].toSorted(), names.map((name) => `./${name}`).toSorted())
    assert.deepStrictEqual(
      manual.toSorted(),
      [...(await generated()).keys()].filter((name) => name.startsWith("man/")).toSorted()
    )
  })

  it.skipIf(!isThere("man"))("man has no warning of them (skipped without man)", () => {
    for (const page of manual) assert.strictEqual(complaints("man", ["--warnings", "--local-file"], page), "", page)
  })

  it.skipIf(!isThere("mandoc"))("mandoc has no warning of them (skipped without mandoc)", () => {
    for (const page of manual) assert.strictEqual(complaints("mandoc", ["-T", "lint", "-W", "warning"], page), "", page)
  })
})

describe("generated files", () => {
  it("are up to date: npm run generate", async () => {
    for (const [name, text] of await generated()) {
      const path = Path.join(root, name)
      assert.strictEqual(Fs.existsSync(path) ? Fs.readFileSync(path, "utf8") : "", text, name)
    }
  })
})
