/**
 * Guests of a real QEMU, each in a scope.
 */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import * as ChildProcess from "node:child_process"
import * as Fs from "node:fs"
import * as Path from "node:path"
import * as Qemu from "./qemu.ts"
import * as Qmp from "./qmp.ts"
import * as Workspace from "./workspace.ts"

/** QEMU ended before it could be asked anything. */
export class GuestError extends Schema.TaggedError<GuestError>()("GuestError", {
  command: Schema.String,
  stderr: Schema.String
}) {
  override get message() {
    return `QEMU did not start: ${this.stderr}\n${this.command}`
  }
}

/** Where guest RAM lies. */
export interface Memory {
  /** A file that both QEMU and the test see; without one, QEMU has memory of its own. */
  readonly file?: string | undefined
  /** In a memfd, as libvirt has it; `memfdOf` leads to it. Default `false`. */
  readonly memfd?: boolean | undefined
  /** Bytes, a multiple of 1 MiB; the file has that length, or does not exist yet. */
  readonly size: number
}

/** The name of the RAM block of a guest's main memory. */
export const MAIN_BLOCK = "pc.ram"

/** The name of the RAM block of the second DIMM. */
export const DIMM_BLOCK = "dimm0"

/** The RAM block of a PC's firmware, and where in the guest's address space it appears. */
export const FIRMWARE = { idstr: "pc.bios", size: 256 * 1024, address: 2 ** 32 - 256 * 1024 }

/** What a guest is made of. */
export interface Options {
  /** Default: the QEMU of the machine. */
  readonly qemu?: Qemu.Qemu | undefined
  /** `pc`, `q35` or a versioned machine type, and options of it behind commas. Default `pc`. */
  readonly machine?: string | undefined
  /** The main memory: block `pc.ram`. */
  readonly ram: Memory
  /** A second DIMM: block `dimm0`. */
  readonly dimm?: Memory | undefined
  /** A disk image with a boot sector to run; without it the guest never executes an instruction. */
  readonly boot?: string | undefined
  /** Attaches that disk image. Default: an IDE disk. */
  readonly disk?: ((file: string) => ReadonlyArray<string>) | undefined
  /**
   * Whether hardware helps, where there is some. Default: only for guests that do not boot. Firmware takes a tenth of a second
   * without, and seconds with KVM on a machine that is virtual itself.
   */
  readonly kvm?: boolean | undefined
  /** Waits for an incoming migration. Default `false`. */
  readonly incoming?: boolean | undefined
  /** More arguments of QEMU. */
  readonly args?: ReadonlyArray<string> | undefined
}

/** How a QEMU process ended. */
export interface Ended {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
}

/** A running QEMU. */
export interface Guest {
  readonly qmp: Qmp.Qmp
  readonly qemu: Qemu.Qemu | undefined
  readonly pid: number
  /** What QEMU has printed on stderr so far. */
  readonly stderr: () => string
  /** Waits for the process to end by itself. */
  readonly ended: Effect.Effect<Ended>
}

const backend = (id: string, { file, memfd, size }: Memory): ReadonlyArray<string> => {
  if (memfd === true) return ["-object", `memory-backend-memfd,id=${id},share=on,size=${size}`]
  if (file === undefined) return ["-object", `memory-backend-ram,id=${id},size=${size}`]
  return ["-object", `memory-backend-file,id=${id},size=${size},mem-path=${file},share=on`]
}

const memory = ({ dimm, ram }: Options): ReadonlyArray<string> => {
  const main = backend(MAIN_BLOCK, ram)
  if (dimm === undefined) return [...main, "-m", `${ram.size}b`]
  const room = `${ram.size}b,slots=2,maxmem=${2 * (ram.size + dimm.size)}b`
  return [...main, "-m", room, ...backend(DIMM_BLOCK, dimm), "-device", `pc-dimm,id=d0,memdev=${DIMM_BLOCK}`]
}

const ideDisk = (file: string): ReadonlyArray<string> => [
  ...["-drive", `if=none,id=boot,format=raw,file=${file}`],
  ...["-device", "ide-hd,drive=boot,secs=1,cyls=1,heads=1"]
]

const boot = ({ boot, disk = ideDisk }: Options): ReadonlyArray<string> => (boot === undefined ? ["-S"] : disk(boot))

const accelerators = ({ boot, kvm = boot === undefined }: Options): ReadonlyArray<string> => [
  ...(kvm ? ["-accel", "kvm"] : []),
  ...["-accel", "tcg"]
]

/** The command line of a guest, the monitor excepted. */
export const args = (options: Options): ReadonlyArray<string> =>
  [
    ["-nodefaults", "-display", "none"],
    accelerators(options),
    ["-machine", `${options.machine ?? "pc"},memory-backend=${MAIN_BLOCK}`],
    memory(options),
    options.incoming === true ? ["-incoming", "defer"] : [],
    options.args ?? [],
    // Behind the devices that it may be attached to.
    boot(options)
  ].flat()

/** A process that is killed, and gone, when its scope closes. */
const spawn = (
  binary: string,
  args: ReadonlyArray<string>
): Effect.Effect<Omit<Guest, "qmp" | "qemu">, never, Scope.Scope> =>
  Effect.gen(function* () {
    const ended = yield* Deferred.make<Ended>()
    let stderr = ""
    const child = yield* Effect.acquireRelease(
      Effect.sync(() => {
        const child = ChildProcess.spawn(binary, args, { stdio: ["ignore", "ignore", "pipe"] })
        child.stderr.setEncoding("utf8").on("data", (text: string) => void (stderr += text))
        child.on("error", (error) => {
          stderr += error.message
          Deferred.doneUnsafe(ended, Effect.succeed({ code: null, signal: null }))
        })
        child.on("close", (code, signal) => void Deferred.doneUnsafe(ended, Effect.succeed({ code, signal })))
        return child
      }),
      (child) =>
        Effect.andThen(
          Effect.sync(() => child.kill("SIGKILL")),
          Deferred.await(ended)
        )
    )
    return { pid: child.pid ?? 0, stderr: () => stderr, ended: Deferred.await(ended) }
  })

/** The path of a guest's first memfd, as long as the guest is there. */
export const memfdOf = ({ pid }: Pick<Guest, "pid">): string => {
  const descriptors = `/proc/${pid}/fd`
  const isMemfd = (path: string) => Fs.readlinkSync(path).startsWith("/memfd:memory-backend-memfd")
  const found = Fs.readdirSync(descriptors)
    .map((name) => Path.join(descriptors, name))
    .find(isMemfd)
  if (found === undefined) throw new Error(`QEMU ${pid} has no memfd`)
  return found
}

const RunState = Schema.Struct({ status: Schema.String })

/** Whether the guest runs, or why not, in QEMU's words. */
export const runState = (guest: Guest): Effect.Effect<string, Qmp.QmpError> =>
  guest.qmp.execute("query-status").pipe(
    Effect.flatMap((answer) => Effect.orDie(Schema.decodeUnknownEffect(RunState)(answer))),
    Effect.map(({ status }) => status)
  )

/** Starts a guest. It is killed and waited for when the scope closes. */
export const start = (options: Options): Effect.Effect<Guest, GuestError, Scope.Scope> =>
  Effect.gen(function* () {
    const socket = Path.join(yield* Workspace.directory(), "qmp")
    const connected = yield* Qmp.listen(socket)
    const line = [...args(options), "-qmp", `unix:${socket},server=off`]
    const { qemu = Qemu.installed } = options
    const binary = qemu?.binary ?? Qemu.binary
    const process = yield* spawn(binary, line)
    const died = Effect.flatMap(process.ended, () =>
      Effect.fail(new GuestError({ command: [binary, ...line].join(" "), stderr: process.stderr() }))
    )
    const qmp = yield* Effect.raceFirst(connected, died).pipe(Effect.catchTag("QmpError", () => died))
    return { ...process, qemu, qmp }
  })
