/**
 * The picture of the architecture shows the rooms that there are, and is drawn from its source.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Fs from "node:fs"
import * as Path from "node:path"
import * as Picture from "../../docs/assets/picture.ts"
import { draw } from "../../docs/internals/architecture.ts"
import { floors } from "../support/project/imports.ts"
import { root } from "../support/project/run.ts"

const source = Fs.readFileSync(Path.join(root, "docs/internals/architecture.dot"), "utf8")

describe("the picture of the architecture", () => {
  it("has a box for every room", () => {
    const boxes = [...source.matchAll(/^ {2}(\w+)\s+\[label=/gm)].map((match) => match[1]!)
    assert.deepStrictEqual(boxes.toSorted(), floors.flat().toSorted())
  })

  it("has arrows that lead down", () => {
    const floorOf = (room: string) => floors.findIndex((rooms) => rooms.includes(room))
    const arrows = [...source.matchAll(/^ {2}(\w+) -> (\w+)/gm)]
    assert.isAbove(arrows.length, 8)
    for (const [, from, to] of arrows) assert.isAbove(floorOf(from!), floorOf(to!), `${from} -> ${to}`)
  })

  it("is drawn from its source", async () => {
    assert.strictEqual(Fs.readFileSync(Path.join(root, "docs/internals/architecture.svg"), "utf8"), await draw(source))
  })
})

describe("the picture of the README", () => {
  it("is drawn from its source", () => {
    assert.strictEqual(Fs.readFileSync(Path.join(root, "docs/assets/picture.svg"), "utf8"), Picture.draw())
  })
})
