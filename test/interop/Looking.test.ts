/** `search`, `dump` and `diff` of images that a real QEMU has saved, against memory that is known. */
import { assert } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fs from "node:fs"
import * as Cli from "../support/qemu/cli.ts"
import * as Files from "../support/qemu/files.ts"
import * as Guest from "../support/qemu/guest.ts"
import { itSpace } from "../support/qemu/it.ts"
import * as Migrate from "../support/qemu/migrate.ts"
import * as Pattern from "../support/qemu/pattern.ts"
import { describeQemus } from "../support/qemu/suite.ts"
import type * as Workspace from "../support/qemu/workspace.ts"

const MIB = 1024 * 1024
const PAGE = 4096
const SIZE = 16 * MIB

/** At the border of two pages, and at that of two pieces of 1 MiB. */
const PLACES = [5 * MIB + PAGE - 4, 9 * MIB - 7]

/** Pages of the second guest that differ: neighbours, one that is zero in the first, and the last one. */
const CHANGED = [1300, 1301, 3000, 4095]

const json = ({ stdout }: Cli.Ran) => JSON.parse(stdout)

describeQemus("images of QEMU", ["10.0", "11.1"], (qemu) => {
  const saved = Effect.fnUntraced(function* (space: Workspace.Workspace, name: string, patches: Files.Patch[]) {
    const [file, path, seen] = [space.ram(name), space.file(`${name}.img`), space.file(`${name}.seen`)]
    Pattern.writeFile(file, "half-zero", SIZE)
    Files.patch(file, patches)
    const guest = yield* Guest.start({ qemu, ram: { file, size: SIZE } })
    yield* guest.qmp.execute("pmemsave", { val: 5 * MIB, size: MIB / 4, filename: seen })
    yield* Migrate.save(guest, { path })
    return { path, seen: Fs.readFileSync(seen) }
  }, Effect.scoped)

  itSpace("search, dump and diff show what is in the guests", function* (space) {
    const text = PLACES.map((position) => ({ position, bytes: Buffer.from("a known text") }))
    const changes = CHANGED.map((page) => ({ position: page * PAGE + 9, bytes: Buffer.from("!!!") }))
    const a = yield* saved(space, "a", text)
    const b = yield* saved(space, "b", [...text, ...changes])

    const { matches } = json(yield* Cli.run("search", a.path, "a known text", "--json"))
    assert.deepStrictEqual(
      matches,
      PLACES.map((offset) => ({ block: Guest.MAIN_BLOCK, offset }))
    )

    const range = ["--at", "5M", "--length", "256k", "--json"]
    const { hex } = json(yield* Cli.run("dump", a.path, Guest.MAIN_BLOCK, ...range))
    assert.include(a.seen.toString("latin1"), "a known text")
    assert.isTrue(Buffer.from(hex, "hex").equals(a.seen))

    const { blocks, error } = json(yield* Cli.run("diff", a.path, b.path, "--json"))
    assert.strictEqual(error.exitCode, 11)
    const changed = blocks.filter((block: { readonly changedPages: number }) => block.changedPages > 0)
    assert.lengthOf(changed, 1)
    assert.include(changed[0], { idstr: Guest.MAIN_BLOCK, pages: SIZE / PAGE, changedPages: CHANGED.length })
    assert.deepStrictEqual(changed[0].runs, [
      { page: 1300, count: 2 },
      { page: 3000, count: 1 },
      { page: 4095, count: 1 }
    ])
    assert.strictEqual((yield* Cli.run("diff", a.path, a.path)).code, 0)
  })
})
