/**
 * The form of the tests: where they and their helpers are.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Fs from "node:fs"
import * as Path from "node:path"
import { root } from "../support/project/run.ts"

const files = Fs.readdirSync(Path.join(root, "test"), { recursive: true, encoding: "utf8" })

describe("the tests", () => {
  it("share their helpers in test/support, in files whose names begin with a small letter", () => {
    const helpers = files.filter((file) => /(^|\/)support\/.*\.ts$/.test(file))
    assert.isAbove(helpers.length, 50)
    assert.deepStrictEqual(
      helpers.filter((file) => !/^support\/([a-z]+\/)?[a-z][a-zA-Z0-9]*(\.fixture|\.config)?\.ts$/.test(file)),
      []
    )
  })
})
