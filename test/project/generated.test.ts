/** What is made of the definitions of the commands is what is in the repository. */
import { assert, describe, it } from "@effect/vitest"
import * as Fs from "node:fs"
import * as Path from "node:path"
import { generated } from "../../scripts/generated.ts"
import { root } from "../support/project/run.ts"

describe("generated files", () => {
  it("are up to date: npm run generate", async () => {
    for (const [name, text] of await generated()) {
      const path = Path.join(root, name)
      assert.strictEqual(Fs.existsSync(path) ? Fs.readFileSync(path, "utf8") : "", text, name)
    }
  })
})
