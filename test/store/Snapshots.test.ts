/** Machines that go into a store and come back: saved, restored, converted, with and without encryption. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Stream from "effect/Stream"
import { randomFillSync } from "node:crypto"
import * as MachineState from "../../src/snapshot/MachineState.ts"
import * as Migration from "../../src/migration/Migration.ts"
import * as MemoryPages from "../../src/ram/MemoryPages.ts"
import * as ObjectName from "../../src/format/store/ObjectName.ts"
import * as MemoryObjects from "../../src/store/MemoryObjects.ts"
import { ObjectStore } from "../../src/store/ObjectStore.ts"
import * as Repository from "../../src/store/Repository.ts"
import type { Secret } from "../../src/store/RepositoryKeys.ts"
import * as StoreSource from "../../src/store/StoreSource.ts"
import * as StoreTarget from "../../src/store/StoreTarget.ts"
import * as MemoryDisk from "../../src/testing/MemoryDisk.ts"

const PAGE = 4096
const key: Secret = { _tag: "KeyFile", bytes: new Uint8Array(40).fill(9) }

/** A quarter zero, the rest text and noise. */
const memory = (pages: number): Uint8Array => {
  const bytes = new Uint8Array(pages * PAGE)
  for (let page = 0; page < pages; page++) {
    const place = bytes.subarray(page * PAGE, (page + 1) * PAGE)
    if (page % 4 === 1) randomFillSync(place)
    else if (page % 4 !== 0) place.fill(1 + (page % 250))
  }
  return bytes
}

const block = (bytes: Uint8Array, idstr = "pc.ram") => MemoryPages.make({ idstr, memory: bytes })

const machineState = MachineState.fromSections({
  machine: "my-emulator-1",
  sections: [{ name: "cpu", instanceId: 0, version: 1, data: new Uint8Array(64).fill(7) }]
})

const save = (
  repository: Repository.Repository,
  bytes: Uint8Array,
  options: Omit<StoreTarget.Options, "vm"> & { readonly vm?: string } = {}
) =>
  Effect.gen(function* () {
    const migration = yield* Migration.Migration
    const { value } = yield* migration.save({
      target: StoreTarget.make(repository, { vm: "web-1", ...options }),
      blocks: [yield* block(bytes), yield* block(new Uint8Array(2 * PAGE).fill(3), "vga.vram")],
      machineState: yield* machineState
    })
    return value
  })

const restored = (repository: Repository.Repository, snapshot: string, length: number) =>
  Effect.gen(function* () {
    const migration = yield* Migration.Migration
    const source = yield* StoreSource.open(repository, snapshot)
    const bytes = new Uint8Array(length).fill(0xa5)
    const video = new Uint8Array(2 * PAGE)
    yield* migration.restore({ source, blocks: [yield* block(bytes), yield* block(video, "vga.vram")] })
    assert.deepStrictEqual(video, new Uint8Array(2 * PAGE).fill(3))
    const { deviceState } = source.machineState
    const devices = new Uint8Array(deviceState.length)
    yield* deviceState.readInto(0, devices)
    assert.include(Buffer.from(devices).toString("latin1"), "cpu")
    return bytes
  })

const names = Effect.flatMap(ObjectStore, (store) =>
  Effect.map(Stream.runCollect(store.list("")), (found) => found.map(({ name }) => name))
)

const kinds: ReadonlyArray<readonly [name: string, secret: Secret | undefined]> = [
  ["that is not encrypted", undefined],
  ["that is encrypted", key]
]

describe.each(kinds)("a store %s", (_, secret) => {
  const world = <A, E>(
    program: (repository: Repository.Repository) => Effect.Effect<A, E, Migration.Migration | ObjectStore>
  ) =>
    Effect.gen(function* () {
      yield* Repository.init({ secret })
      return yield* program(yield* Repository.open(secret))
    }).pipe(Effect.provide([MemoryObjects.make().layer, Migration.layer]))

  it.effect("gives back what was saved, page for page", () =>
    world((repository) =>
      Effect.gen(function* () {
        const bytes = memory(300)
        const { snapshot, ...counts } = yield* save(repository, bytes)
        assert.deepInclude(counts, { parent: undefined, pagesNew: 227, pagesKnown: 0, pagesSuperseded: 0 })
        assert.deepStrictEqual(yield* restored(repository, snapshot, bytes.length), bytes)
        assert.deepStrictEqual(yield* restored(repository, "web-1@latest", bytes.length), bytes)
        assert.deepStrictEqual(yield* restored(repository, snapshot.slice(0, 12), bytes.length), bytes)
      })
    )
  )

  it.effect("stores of a second snapshot only what has changed at its place", () =>
    world((repository) =>
      Effect.gen(function* () {
        const bytes = memory(300)
        const first = yield* save(repository, bytes)
        const changed = bytes.slice()
        changed.fill(200, 8 * PAGE, 10 * PAGE)
        changed.fill(0, 17 * PAGE, 18 * PAGE)
        const second = yield* save(repository, changed)
        assert.deepInclude(second, { parent: first.snapshot, pagesNew: 2, pagesKnown: 227 - 1 - 1 })
        assert.isBelow(second.bytesStored, first.bytesStored / 20)
        assert.deepStrictEqual(yield* restored(repository, second.snapshot, bytes.length), changed)
        assert.deepStrictEqual(yield* restored(repository, first.snapshot, bytes.length), bytes)
        const third = yield* save(repository, changed, { base: "none" })
        assert.strictEqual(third.parent, undefined)
        assert.strictEqual(third.pagesNew, 227)
        assert.deepStrictEqual(yield* restored(repository, third.snapshot, bytes.length), changed)
      })
    )
  )

  it.effect("equal memory has one digest, and other memory another", () =>
    world((repository) =>
      Effect.gen(function* () {
        const bytes = memory(40)
        const moved = new Uint8Array(bytes.length)
        moved.set(bytes.subarray(0, bytes.length - PAGE), PAGE)
        const saved = yield* Effect.forEach([bytes, bytes.slice(), moved], (content) => save(repository, content))
        const digests = yield* Effect.forEach(saved, ({ snapshot }) =>
          Effect.map(StoreSource.find(repository, snapshot), ({ state }) => state.commit.memoryDigest)
        )
        assert.strictEqual(digests[0], digests[1])
        assert.notStrictEqual(digests[0], digests[2])
      })
    )
  )

  it.effect("an image converts into it and back, byte for byte", () =>
    world((repository) =>
      Effect.gen(function* () {
        const migration = yield* Migration.Migration
        const bytes = memory(64)
        const { snapshot } = yield* save(repository, bytes)
        const source = yield* StoreSource.open(repository, snapshot)
        yield* migration.convert({ source, target: "/out" })
        yield* migration.save({
          target: "/direct",
          blocks: [yield* block(bytes), yield* block(new Uint8Array(2 * PAGE).fill(3), "vga.vram")],
          machineState: yield* machineState
        })
      }).pipe(
        Effect.provide(disk.layer),
        Effect.andThen(Effect.sync(() => assert.deepStrictEqual(disk.read("/out"), disk.read("/direct"))))
      )
    )
  )
  const disk = MemoryDisk.make()

  it.effect("a save that fails leaves the records of its end and nothing else", () =>
    world((repository) =>
      Effect.gen(function* () {
        const before = yield* names
        const failing = {
          ...(yield* block(memory(1024))),
          reader: {
            present: undefined,
            view: undefined,
            readInto: (offset: number, target: Uint8Array) =>
              offset > 2 ** 20 ? Effect.fail("broken" as const) : Effect.sync(() => void target.fill(1))
          }
        }
        const migration = yield* Migration.Migration
        const target = StoreTarget.make(repository, { vm: "web-1" })
        const exit = yield* Effect.exit(migration.save({ target, blocks: [failing] }))
        assert.isTrue(Exit.isFailure(exit))
        const left = (yield* names).filter((name) => !before.includes(name))
        assert.deepStrictEqual(
          left.map((name) => ObjectName.parse(name)?.kind),
          ["record", "record"]
        )
        const [chain] = yield* Repository.chains(repository)
        assert.deepInclude(chain?.state, { _tag: "Dead", cause: { _tag: "Aborted" } })
      })
    )
  )

  it.effect("a changed byte of any object is found before a page of it is handed on", () =>
    Effect.gen(function* () {
      const store = MemoryObjects.make()
      yield* Effect.gen(function* () {
        yield* Repository.init({ secret })
        const repository = yield* Repository.open(secret)
        const bytes = memory(48)
        const { snapshot } = yield* save(repository, bytes)
        for (const [name, { body, modified }] of [...store.objects]) {
          for (let trial = 0; trial < 24; trial++) {
            const damaged = body.slice()
            const at = Math.floor((trial / 24) * body.length)
            damaged[at] = (damaged[at] ?? 0) ^ (1 << (trial % 8))
            store.objects.set(name, { body: damaged, modified })
            const read = Effect.flatMap(Repository.open(secret), (opened) => restored(opened, snapshot, bytes.length))
            const exit = yield* Effect.exit(read)
            if (Exit.isSuccess(exit)) assert.deepStrictEqual(exit.value, bytes, `${name} at ${at}`)
            else assert.notInclude(JSON.stringify(exit), "AssertionError", `${name} at ${at}`)
          }
          store.objects.set(name, { body, modified })
        }
      }).pipe(Effect.provide([store.layer, Migration.layer]))
    })
  )
})

describe("a snapshot", () => {
  const world = <A, E>(program: Effect.Effect<A, E, Migration.Migration | ObjectStore>) =>
    program.pipe(Effect.provide([MemoryObjects.make().layer, Migration.layer]))

  it.effect("that is not there, not complete, or one of several is not found", () =>
    world(
      Effect.gen(function* () {
        const repository = yield* Repository.init()
        const { snapshot } = yield* save(repository, memory(4))
        yield* save(repository, memory(4))
        const problem = (name: string) =>
          Effect.map(Effect.flip(StoreSource.open(repository, name)), (error) => [
            error._tag,
            error._tag === "SnapshotNotFoundError" ? error.problem : undefined
          ])
        assert.deepStrictEqual(yield* problem("zzz"), ["SnapshotNotFoundError", "unknown"])
        assert.deepStrictEqual(yield* problem("db-1@latest"), ["SnapshotNotFoundError", "unknown"])
        assert.deepStrictEqual(yield* problem("00000"), ["SnapshotNotFoundError", "ambiguous"])
        const chains = yield* Repository.chains(repository, "web-1")
        const { records, state } = chains.find((chain) => chain.snapshot === snapshot)!
        const last = records.at(-1)!
        const forget = {
          state: "FORGET" as const,
          ...{ seq: last.seq + 1, snapshot, vm: "web-1", at: 0, writer: last.writer },
          nonce: last.snapshot,
          previousNonce: last.nonce
        }
        assert.strictEqual(state._tag, "Committed")
        yield* Repository.append(repository, forget)
        assert.deepStrictEqual(yield* problem(snapshot), ["SnapshotNotFoundError", "forgotten"])
      })
    )
  )

  it.effect("whose place another writer has taken is fenced, and a repeated record is not", () =>
    world(
      Effect.gen(function* () {
        const repository = yield* Repository.init()
        const { snapshot } = yield* save(repository, memory(4))
        const [chain] = yield* Repository.chains(repository)
        const [open] = chain!.records
        yield* Repository.append(repository, open!)
        const fenced = yield* Effect.flip(Repository.append(repository, { ...open!, nonce: snapshot }))
        assert.strictEqual(fenced._tag, "SnapshotFencedError")
      })
    )
  )

  it.effect("of a damaged store, and a store of a newer version, are errors of their own", () =>
    Effect.gen(function* () {
      const store = MemoryObjects.make()
      const opened = Effect.gen(function* () {
        yield* Repository.init()
        const config = store.objects.get("config")!
        const text = Buffer.from(config.body).toString()
        store.objects.set("config", { ...config, body: Buffer.from(text.replace('"format":1', '"format":2')) })
        assert.strictEqual((yield* Effect.flip(Repository.open()))._tag, "StoreFormatError")
        store.objects.set("config", { ...config, body: Buffer.from(text.slice(1)) })
        assert.strictEqual((yield* Effect.flip(Repository.open()))._tag, "StoreDamagedError")
      })
      yield* Effect.provide(opened, store.layer)
    })
  )
})

describe("a store", () => {
  const open = (secret?: Secret) => Effect.flip(Repository.open(secret))

  it.effect("is made once, and opened as what it is", () =>
    Effect.gen(function* () {
      assert.strictEqual((yield* open())._tag, "RepositoryError")
      yield* Repository.init()
      assert.strictEqual((yield* Effect.flip(Repository.init()))._tag, "RepositoryError")
      assert.include((yield* open(key)).message, "it is not encrypted")
    }).pipe(Effect.provide(MemoryObjects.make().layer))
  )

  it.effect("that is encrypted opens with its passphrase alone", () =>
    Effect.gen(function* () {
      const secret = (passphrase: string): Secret => ({ _tag: "Passphrase", passphrase })
      yield* Repository.init({ secret: secret("correct horse") })
      yield* Repository.open(secret("correct horse"))
      assert.strictEqual((yield* open(secret("correct house")))._tag, "StoreKeyError")
      assert.strictEqual((yield* open(key))._tag, "StoreKeyError")
      assert.include((yield* open()).message, "it is encrypted")
    }).pipe(Effect.provide(MemoryObjects.make().layer))
  )
})
