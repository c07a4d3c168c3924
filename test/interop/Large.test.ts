import { assert } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fs from "node:fs"
import * as Image from "../../src/image/Image.ts"
import { itSpace } from "../support/qemu/it.ts"
import * as Files from "../support/qemu/files.ts"
import * as Guest from "../support/qemu/guest.ts"
import * as Library from "../support/qemu/library.ts"
import * as Migrate from "../support/qemu/migrate.ts"
import { describeQemu } from "../support/qemu/suite.ts"

const GIB = 1024 ** 3
const PAGE = 4096

/** More than 32 bits can count. Guests have it as memory of their own, of which only the few pages below get real. */
const SIZE = 5 * GIB

/** Where there is something in the block: on both sides of 4 GiB, and at its end. */
const PLACES = [0, 2 * GIB, 4 * GIB - PAGE, 4 * GIB, SIZE - PAGE]

const contentAt = (place: number): Buffer => Buffer.alloc(PAGE, `page ${place / PAGE} `)

describeQemu("a block larger than 4 GiB", () => {
  itSpace("goes from a file through our image into QEMU, and back through QEMU's image into a file", function* (space) {
    const [machine, ours, theirs] = [space.file("machine"), space.file("ours"), space.file("theirs")]
    // Reading a hole costs a disk's file system fresh memory, and shared memory nothing.
    const [ram, copy] = [space.ram("ram"), space.ram("copy")]
    const memory = { ram: { size: SIZE } }
    yield* Effect.scoped(
      Effect.flatMap(Guest.start(memory), (guest) => Migrate.save(guest, { path: machine, channels: 2 }))
    )
    Fs.writeFileSync(ram, "")
    Fs.truncateSync(ram, SIZE)
    Files.patch(
      ram,
      PLACES.map((position) => ({ position, bytes: contentAt(position) }))
    )
    yield* Library.saveWithStateOf(machine, [{ idstr: Guest.MAIN_BLOCK, path: ram }], ours)
    const guest = yield* Guest.start({ ...memory, incoming: true })
    yield* Migrate.loadCompletely(guest, { path: ours, channels: 2 })
    yield* Migrate.save(guest, { path: theirs, channels: 2 })

    const main = (yield* Image.open(theirs)).blocks.find(({ idstr }) => idstr === Guest.MAIN_BLOCK)!
    assert.strictEqual(main.usedLength, SIZE)
    assert.strictEqual(main.pagesPresent, PLACES.length)
    yield* Library.restore(theirs, [{ idstr: Guest.MAIN_BLOCK, path: copy, size: SIZE }])
    for (const place of PLACES) assert.isTrue(Files.read(copy, place, PAGE).equals(contentAt(place)))
    assert.isBelow(Files.allocated(copy), 1024 * 1024)
  })
})
