/**
 * Just enough of QEMU to start a guest and to ask it for a migration. Guest RAM lies in a file that both sides see.
 */
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import * as ChildProcess from "node:child_process"
import { once } from "node:events"
import * as Net from "node:net"
import * as Readline from "node:readline"

const BINARY = "qemu-system-x86_64"

/** The first version that knows mapped-ram. */
const OLDEST_MAJOR = 9

/** The block that holds a guest's main memory. */
export const RAM = "pc.ram"

/** The version of the QEMU on the PATH; `undefined` when there is none, or none that is new enough. */
export const version: Effect.Effect<string | undefined> = Effect.sync(() => {
  const { stdout } = ChildProcess.spawnSync(BINARY, ["--version"], { encoding: "utf8" })
  const found = /version (\d+)\.[\d.]+/.exec(stdout ?? "")
  return found !== null && Number(found[1]) >= OLDEST_MAJOR ? found[0].slice("version ".length) : undefined
})

/** QEMU refused something, or is gone. */
export class QemuError extends Schema.TaggedError<QemuError>()("QemuError", {
  command: Schema.String,
  cause: Schema.Defect()
}) {
  override get message() {
    return `QEMU, asked for ${this.command}: ${this.cause instanceof Error ? this.cause.message : String(this.cause)}`
  }
}

export interface Guest {
  /** One command of QEMU's monitor protocol; gives what it returns. */
  readonly execute: (command: string, args?: object) => Effect.Effect<unknown, QemuError>
}

export interface Options {
  /** The file that is the guest's RAM, and its length in bytes. */
  readonly ram: string
  readonly size: number
  /** Where the monitor's socket is put. */
  readonly socket: string
  /** Waits for a migration rather than booting. */
  readonly incoming?: boolean
}

/** KVM's clock lies in guest RAM and is set when a guest is loaded: without it, RAM stays as it was saved. */
const argumentsOf = ({ incoming, ram, size, socket }: Options): ReadonlyArray<string> =>
  [
    ["-nodefaults", "-display", "none", "-accel", "kvm", "-accel", "tcg", "-cpu", "qemu64,kvmclock=off"],
    ["-machine", `pc,memory-backend=${RAM}`, "-m", `${size}b`],
    ["-object", `memory-backend-file,id=${RAM},size=${size},mem-path=${ram},share=on`],
    ["-qmp", `unix:${socket},server=off`],
    incoming === true ? ["-incoming", "defer"] : []
  ].flat()

/** QEMU connects to us, so that nobody has to guess when it is ready. */
const listen = (path: string) =>
  Effect.acquireRelease(
    Effect.callback<Net.Server>((resume) => {
      const server: Net.Server = Net.createServer().listen(path, () => resume(Effect.succeed(server)))
    }),
    (server) => Effect.sync(() => void server.close())
  )

const spawn = (options: Options) =>
  Effect.acquireRelease(
    Effect.sync(() => ChildProcess.spawn(BINARY, argumentsOf(options), { stdio: "ignore" })),
    (child) => Effect.promise(async () => void (child.kill("SIGKILL") && (await once(child, "exit"))))
  )

const monitor = (socket: Net.Socket): Guest => {
  const lines = Readline.createInterface({ input: socket })[Symbol.asyncIterator]()
  const ask = async (command: string, args: object): Promise<unknown> => {
    socket.write(JSON.stringify({ execute: command, arguments: args }))
    for (;;) {
      const { done, value } = await lines.next()
      if (done === true) throw new Error("it has closed the monitor")
      const message = JSON.parse(value)
      if ("return" in message) return message.return
      if ("error" in message) throw new Error(message.error.desc)
    }
  }
  return {
    execute: (command, args = {}) =>
      Effect.tryPromise({ try: () => ask(command, args), catch: (cause) => new QemuError({ command, cause }) })
  }
}

/** Starts a guest; it is gone when the scope closes. */
export const start = (options: Options): Effect.Effect<Guest, QemuError, Scope.Scope> =>
  Effect.gen(function* () {
    const server = yield* listen(options.socket)
    const connection = Effect.promise(() => once(server, "connection") as Promise<[Net.Socket]>)
    const child = yield* spawn(options)
    const ended = Effect.promise(() => once(child, "exit"))
    const [socket] = yield* Effect.raceFirst(
      connection,
      Effect.andThen(ended, Effect.fail(new QemuError({ command: "a start", cause: "it ended at once" })))
    )
    yield* Effect.addFinalizer(() => Effect.sync(() => socket.destroy()))
    const guest = monitor(socket)
    yield* guest.execute("qmp_capabilities")
    return guest
  })

const Migrated = Schema.Struct({
  status: Schema.optionalKey(Schema.String),
  "error-desc": Schema.optionalKey(Schema.String)
})
const decodeMigrated = Schema.decodeUnknownSync(Migrated)

/** Migrates to or from a mapped-ram file over multifd channels, and waits for the end. */
export const migrate = Effect.fnUntraced(function* (
  guest: Guest,
  command: "migrate" | "migrate-incoming",
  path: string,
  channels: number
) {
  const capabilities = ["mapped-ram", "multifd"].map((capability) => ({ capability, state: true }))
  yield* guest.execute("migrate-set-capabilities", { capabilities })
  yield* guest.execute("migrate-set-parameters", { "multifd-channels": channels })
  yield* guest.execute(command, { uri: `file:${path}` })
  const { "error-desc": reason, status } = yield* guest.execute("query-migrate").pipe(
    Effect.map(decodeMigrated),
    Effect.repeat({
      schedule: Schedule.spaced("20 millis"),
      until: ({ status }) => status === "completed" || status === "failed"
    })
  )
  if (status === "failed") return yield* new QemuError({ command, cause: reason ?? "it failed" })
})
