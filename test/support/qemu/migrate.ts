/**
 * Migrations of a guest, driven over the monitor; and those to and from files. Sockets are in `Sockets.ts`.
 */
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import * as Schema from "effect/Schema"
import type { Guest } from "./guest.ts"
import * as Qemu from "./qemu.ts"
import { CLOSED, type Event, type QmpError } from "./qmp.ts"

/** A migration that should have completed did not. */
export class MigrateError extends Schema.TaggedError<MigrateError>()("MigrateError", {
  status: Schema.String,
  description: Schema.String
}) {
  override get message() {
    return `migration ${this.status}: ${this.description}`
  }
}

/** What a migration is set up with, whatever carries it. */
export interface Settings {
  /** multifd channels; 0, the default: no multifd. */
  readonly channels?: number | undefined
  /** More capabilities to switch on. */
  readonly capabilities?: ReadonlyArray<string> | undefined
  /** More migration parameters. */
  readonly parameters?: Readonly<Record<string, unknown>> | undefined
}

/** A migration file, and how it is written or read. */
export interface Options extends Settings {
  readonly path: string
  /** `,offset=` of the URI, in bytes. Default: none. */
  readonly offset?: number | undefined
  readonly directIo?: boolean | undefined
  /** Default `true`; `false` for a plain stream in a file. */
  readonly mappedRam?: boolean | undefined
}

/** How long a guest goes on dirtying its memory. */
export interface Passes {
  /**
   * Passes over RAM that a migration of a running guest makes at least: its bandwidth is held down until that many have
   * begun. Default 0: as QEMU decides.
   */
  readonly passes?: number | undefined
}

/** A save, which may have to be a live one. */
export interface SaveOptions extends Options, Passes {}

/** What `query-migrate` says of a migration; times in milliseconds. */
export const Info = Schema.Struct({
  /** Up to 7.2, one that waits has none. */
  status: Schema.String.pipe(Schema.withDecodingDefaultKey(Effect.succeed("none"))),
  "error-desc": Schema.optionalKey(Schema.String),
  "total-time": Schema.optionalKey(Schema.Number),
  "setup-time": Schema.optionalKey(Schema.Number),
  downtime: Schema.optionalKey(Schema.Number),
  ram: Schema.optionalKey(
    Schema.Struct({
      total: Schema.Number,
      transferred: Schema.Number,
      /** Pages that were all zero. */
      duplicate: Schema.Number,
      /** Pages that were written. */
      normal: Schema.Number,
      "dirty-sync-count": Schema.Number
    })
  ),
  /** Where an incoming migration listens. */
  "socket-address": Schema.optionalKey(
    Schema.Array(
      Schema.Union([
        Schema.Struct({ type: Schema.Literal("inet"), host: Schema.String, port: Schema.String }),
        Schema.Struct({ type: Schema.Literal("unix"), path: Schema.String })
      ])
    )
  )
})
export type Info = typeof Info.Type

/** What QEMU says of an outgoing migration that has completed, and what a clock says: from asking for the migration to its end. */
export interface Saved extends Info {
  readonly milliseconds: number
}

/** How a load ended. A QEMU that crashed has a signal. */
export interface Loaded {
  readonly status: string
  /** The reason in QEMU's words; empty for a success. */
  readonly reason: string
  readonly signal: NodeJS.Signals | null
  /** From asking for the migration to its end. */
  readonly milliseconds: number
}

const MIB = 1024 * 1024

/** Held down to this, a save of a few MiB outlasts any number of passes. */
const CRAWL_BYTES_PER_SECOND = 16 * MIB

/** Milliseconds: a guest that runs is stopped however slowly it goes, and however much faster it dirties its memory. */
const PATIENT = { "downtime-limit": 60_000 }

const uri = ({ offset, path }: Options): string =>
  offset === undefined ? `file:${path}` : `file:${path},offset=${offset}`

const ofFile = ({ capabilities = [], channels, directIo, mappedRam, parameters }: Options): Settings => ({
  channels,
  capabilities: mappedRam === false ? capabilities : ["mapped-ram", ...capabilities],
  parameters: directIo === true ? { "direct-io": true, ...parameters } : parameters
})

const configure = (guest: Guest, settings: Settings): Effect.Effect<void, QmpError> => {
  const channels = settings.channels ?? 0
  const capabilities = ["events", ...(channels === 0 ? [] : ["multifd"]), ...(settings.capabilities ?? [])]
  return Effect.andThen(
    guest.qmp.execute("migrate-set-capabilities", {
      capabilities: capabilities.map((capability) => ({ capability, state: true }))
    }),
    guest.qmp.execute("migrate-set-parameters", {
      "max-bandwidth": 0,
      ...(channels === 0 ? {} : { "multifd-channels": channels }),
      ...settings.parameters
    })
  )
}

const FINAL = new Set(["completed", "failed", "cancelled"])

const hasEnded = ({ data, name }: Event): boolean => name === "MIGRATION" && FINAL.has(String(data["status"]))

/** What QEMU knows of its migration right now. */
export const query = (guest: Guest): Effect.Effect<Info, QmpError> =>
  Effect.flatMap(guest.qmp.execute("query-migrate"), (info) => Effect.orDie(Schema.decodeUnknownEffect(Info)(info)))

const holdDown = (guest: Guest, passes: number): Effect.Effect<unknown, QmpError> => {
  const hasPassed = ({ data, name }: Event) => name === "MIGRATION_PASS" && Number(data["pass"]) >= passes
  return Effect.andThen(
    guest.qmp.waitFor(`pass ${passes}`, hasPassed),
    guest.qmp.execute("migrate-set-parameters", { "max-bandwidth": 0, ...PATIENT })
  )
}

/** Has the guest migrate to a URI and waits until it says that it has; the guest stays paused. */
export const outgoing = (
  guest: Guest,
  uri: string,
  settings: Settings & Passes
): Effect.Effect<Saved, MigrateError | QmpError> =>
  Effect.gen(function* () {
    const passes = settings.passes ?? 0
    yield* configure(guest, { ...settings, parameters: { ...PATIENT, ...settings.parameters } })
    if (passes > 0) {
      const slow = { "max-bandwidth": CRAWL_BYTES_PER_SECOND, "downtime-limit": 1 }
      yield* guest.qmp.execute("migrate-set-parameters", slow)
    }
    const begin = performance.now()
    yield* guest.qmp.execute("migrate", { uri })
    if (passes > 0) yield* holdDown(guest, passes)
    yield* guest.qmp.waitFor("the end of the migration", hasEnded)
    const milliseconds = performance.now() - begin
    const info = yield* query(guest)
    if (info.status === "completed") return { ...info, milliseconds }
    return yield* new MigrateError({ status: info.status, description: info["error-desc"] ?? guest.stderr() })
  })

/** Has the guest save itself to a file and waits until it has; the guest stays paused. */
export const save = (guest: Guest, options: SaveOptions): Effect.Effect<Saved, MigrateError | QmpError> =>
  outgoing(guest, uri(options), { ...ofFile(options), passes: options.passes })

/** More than what is sent before the first page, of which nothing may have left QEMU when it tells of its first pass. */
const MOVING = 64 * 1024

/** Waits until pages are on their way, or never will be. */
const isMoving = (guest: Guest): Effect.Effect<void, QmpError> =>
  query(guest).pipe(
    Effect.repeat({
      until: ({ ram, status }) => FINAL.has(status) || (ram !== undefined && ram.transferred > MOVING),
      schedule: Schedule.spaced("10 millis")
    }),
    Effect.asVoid
  )

/**
 * Has the guest begin to migrate to a URI, so slowly that it will not come to an end, and leaves off while RAM is on its
 * way.
 */
export const abandon = (guest: Guest, uri: string, settings: Settings): Effect.Effect<void, QmpError> =>
  Effect.gen(function* () {
    yield* configure(guest, settings)
    yield* guest.qmp.execute("migrate-set-parameters", { "max-bandwidth": MIB })
    yield* guest.qmp.execute("migrate", { uri })
    yield* isMoving(guest)
    yield* guest.qmp.execute("migrate_cancel")
    yield* guest.qmp.waitFor("the end of the migration", hasEnded)
  })

/** The same with a file, which is then what a cancelled save leaves behind, or one whose QEMU has died. */
export const abandonSave = (guest: Guest, options: Options): Effect.Effect<void, QmpError> =>
  abandon(guest, uri(options), ofFile(options))

/** A guest that waits at an address for its migration, and then loads it. */
export interface Incoming {
  /** How the load ends, however that is. */
  readonly loaded: Effect.Effect<Loaded, QmpError>
}

/** Has a guest that was started with `incoming` open a URI; for a file, the load has then begun. */
export const incoming = (guest: Guest, uri: string, settings: Settings): Effect.Effect<Incoming, QmpError> =>
  Effect.gen(function* () {
    yield* configure(guest, settings)
    const begin = performance.now()
    const elapsed = () => performance.now() - begin
    // Since 9.1 a QEMU that failed can be asked why; an older one just exits.
    const stay = Qemu.isAtLeast(9, 1, guest.qemu) ? { "exit-on-error": false } : {}
    const died = Effect.map(guest.ended, ({ signal }) => ({
      status: "failed",
      reason: guest.stderr(),
      signal,
      milliseconds: elapsed()
    }))
    const orDied = (error: QmpError) => (error.description === CLOSED ? died : Effect.fail(error))
    const ended = guest.qmp.waitFor("the end of the load", hasEnded).pipe(
      Effect.map(elapsed),
      Effect.flatMap((milliseconds) => Effect.map(query(guest), (info) => outcome(info, guest, milliseconds)))
    )
    const asked = yield* Effect.exit(guest.qmp.execute("migrate-incoming", { uri, ...stay }))
    return { loaded: Effect.catch(Effect.andThen(asked, ended), orDied) }
  })

/** Has a guest that was started with `incoming` load a file, however that ends. */
export const load = (guest: Guest, options: Options): Effect.Effect<Loaded, QmpError> =>
  Effect.flatMap(incoming(guest, uri(options), ofFile(options)), ({ loaded }) => loaded)

const outcome = (info: Info, guest: Guest, milliseconds: number): Loaded => {
  const reason = info.status === "completed" ? "" : [info["error-desc"], guest.stderr()].join("\n")
  return { status: info.status, reason, signal: null, milliseconds }
}

/** Like `load`, and fails unless the guest has the whole machine. */
export const loadCompletely = (guest: Guest, options: Options): Effect.Effect<Loaded, MigrateError | QmpError> =>
  Effect.flatMap(load(guest, options), (loaded) =>
    loaded.status === "completed"
      ? Effect.succeed(loaded)
      : Effect.fail(new MigrateError({ status: loaded.status, description: loaded.reason }))
  )
