/**
 * Images that a real QEMU saves once for all tests of a file. A QEMU without mapped-ram (before 9.0) sends itself to the library
 * instead, and loads what the library sends; `Receive.test.ts` compares what arrives with what the guest had.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import * as Fs from "node:fs"
import * as Migration from "../../../src/migration/Migration.ts"
import * as Guest from "./guest.ts"
import * as Library from "./library.ts"
import * as Migrate from "./migrate.ts"
import * as Pattern from "./pattern.ts"
import * as Qemu from "./qemu.ts"
import * as QemuImage from "./qemuImage.ts"
import type { QmpError } from "./qmp.ts"
import * as Sockets from "./sockets.ts"
import * as Workspace from "./workspace.ts"

const MIB = 1024 * 1024

/** Memory of a guest that never runs. */
export interface Filled {
  readonly pattern: Pattern.Pattern
  /** Bytes. */
  readonly size: number
}

/** A guest, and how it is saved. */
export interface Recipe extends Omit<Migrate.SaveOptions, "path"> {
  /** Default: 16 MiB of the pattern `mixed`. */
  readonly ram?: Filled | undefined
  /** A second DIMM. */
  readonly dimm?: Filled | undefined
  /** Default: the one that the fixtures are of. */
  readonly qemu?: Qemu.Qemu | undefined
  readonly machine?: string | undefined
  /** More arguments of QEMU; the guest that loads the image needs the same. */
  readonly args?: ReadonlyArray<string> | undefined
}

/** An image that QEMU wrote, beside the RAM that went into it. */
export interface Saved {
  readonly recipe: Recipe
  readonly path: string
  readonly info: Migrate.Info
  readonly ram: { readonly file: string; readonly size: number }
  readonly dimm: { readonly file: string; readonly size: number } | undefined
}

type FixtureError = Guest.GuestError | Migrate.MigrateError | QmpError

/** What the tests of one file share. */
export class Fixtures extends Context.Service<
  Fixtures,
  {
    readonly space: Workspace.Workspace
    /** The image of a recipe, saved when it is first asked for. It is shared: damage a copy. */
    readonly saved: (recipe: Recipe) => Effect.Effect<Saved, FixtureError>
    /** The path of a file that does not exist yet, in the temporary directory or in shared memory. */
    readonly fresh: (where: keyof Workspace.Workspace) => string
  }
>()("test/interop/Fixtures") {}

const DEFAULT_RAM: Filled = { pattern: "mixed", size: 16 * MIB }

const hasMappedRam = ({ qemu }: Guest.Guest): boolean => Qemu.isAtLeast(9, 0, qemu)

/** Has a guest send itself to the library, into an image. */
const sendToImage = (guest: Guest.Guest, path: string) =>
  Effect.gen(function* () {
    const { received, uri } = yield* Effect.orDie(Library.receive("tcp:127.0.0.1:0", path, { channels: 0 }))
    // It may have been received with these.
    yield* guest.qmp.execute("migrate-set-capabilities", { capabilities: [{ capability: "multifd", state: false }] })
    const info = yield* Sockets.send(guest, uri, { parameters: { "tls-creds": "" } })
    yield* Effect.orDie(received)
    return info
  }).pipe(Effect.scoped, Effect.provide(Migration.layer))

const saveGuest = (
  recipe: Recipe,
  path: string,
  memory: Pick<Saved, "ram" | "dimm">
): Effect.Effect<Saved, FixtureError> =>
  Effect.gen(function* () {
    const { args, machine, qemu } = recipe
    const guest = yield* Guest.start({ ...memory, qemu, machine, args })
    const info = yield* hasMappedRam(guest) ? Migrate.save(guest, { ...recipe, path }) : sendToImage(guest, path)
    return { ...memory, recipe, path, info }
  }).pipe(Effect.scoped)

const make = Effect.fnUntraced(function* (qemu: Qemu.Qemu | undefined) {
  const space = yield* Workspace.make
  const images = new Map<string, Effect.Effect<Saved, FixtureError>>()
  let files = 0
  const fresh = (where: keyof Workspace.Workspace) => space[where](`${++files}`)

  const fill = ({ pattern, size }: Filled, seed: number) => {
    const file = space.ram(`${pattern}-${size}-${seed}`)
    if (!Fs.existsSync(file)) Pattern.writeFile(file, pattern, size, seed)
    return { file, size }
  }
  const saved = (wanted: Recipe) =>
    Effect.gen(function* () {
      const recipe = { qemu, ...wanted }
      const key = JSON.stringify(recipe)
      const dimm = recipe.dimm === undefined ? undefined : fill(recipe.dimm, 2)
      const memory = { ram: fill(recipe.ram ?? DEFAULT_RAM, 1), dimm }
      const image = images.get(key) ?? (yield* Effect.cached(saveGuest(recipe, fresh("file"), memory)))
      images.set(key, image)
      return yield* image
    })
  return { space, saved, fresh }
})

/** Fixtures of a QEMU that live as long as the tests of a file. */
export const layerOf = (qemu: Qemu.Qemu | undefined): Layer.Layer<Fixtures> => Layer.effect(Fixtures, make(qemu))

/** Fixtures of the QEMU of the machine. */
export const layer: Layer.Layer<Fixtures> = layerOf(Qemu.installed)

/** A guest like one that was saved, with memory of its own, which waits to be loaded. */
export interface Twin {
  readonly guest: Guest.Guest
  readonly ram: string
  readonly dimm: string
}

/** Starts a guest like the one that was saved, with more arguments of QEMU. It stays as long as the scope. */
export const startLike = (
  saved: Saved,
  more: ReadonlyArray<string> = []
): Effect.Effect<Twin, Guest.GuestError, Fixtures | Scope.Scope> =>
  Effect.gen(function* () {
    const { fresh } = yield* Fixtures
    const [ram, dimm] = [fresh("ram"), fresh("ram")]
    const guest = yield* Guest.start({
      qemu: saved.recipe.qemu,
      machine: saved.recipe.machine,
      args: [...(saved.recipe.args ?? []), ...more],
      ram: { file: ram, size: saved.ram.size },
      dimm: saved.dimm === undefined ? undefined : { file: dimm, size: saved.dimm.size },
      incoming: true
    })
    return { guest, ram, dimm }
  })

/** Everything in an image that nobody needs any more. */
const contentsOf = (path: string): ReadonlyMap<string, Buffer> => {
  const contents = QemuImage.contents(QemuImage.read(path))
  Fs.rmSync(path)
  return contents
}

/**
 * Has a guest that is paused save itself: all blocks that it has, whatever anybody thinks that it should have.
 */
export const blocksOf = (guest: Guest.Guest) =>
  Effect.gen(function* () {
    const path = (yield* Fixtures).fresh("ram")
    if (!hasMappedRam(guest)) {
      yield* sendToImage(guest, path)
      return contentsOf(path)
    }
    // QEMU refuses to set both at once, or in the other order.
    yield* guest.qmp.execute("migrate-set-parameters", { "multifd-compression": "none", "tls-creds": "" })
    yield* Migrate.save(guest, { path })
    return contentsOf(path)
  })

/**
 * Starts a guest like the one that was saved, with memory of its own, and has it load `image`. The guest stays, to be
 * looked at, as long as the scope.
 */
export const loadLike = (
  saved: Saved,
  image: Migrate.Options
): Effect.Effect<Twin & { readonly loaded: Migrate.Loaded }, Guest.GuestError | QmpError, Fixtures | Scope.Scope> =>
  Effect.gen(function* () {
    const twin = yield* startLike(saved)
    if (hasMappedRam(twin.guest)) return { ...twin, loaded: yield* Migrate.load(twin.guest, image) }
    const { loaded, uri } = yield* Sockets.listen(twin.guest, "tcp:127.0.0.1:0", { capabilities: image.capabilities })
    yield* Effect.orDie(Effect.provide(Library.send(image.path, uri, { channels: 0 }), Migration.layer))
    return { ...twin, loaded: yield* loaded }
  })
