/**
 * The `multifd` program, once Node's version is known to suffice.
 *
 * @since 0.1.0
 */
import * as NodeRuntime from "@effect/platform-node-shared/NodeRuntime"
import * as NodeStdio from "@effect/platform-node-shared/NodeStdio"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as FileSystem from "effect/FileSystem"
import * as Layer from "effect/Layer"
import * as Path from "effect/Path"
import * as ChildProcessSpawner from "effect/process/ChildProcessSpawner"
import * as Runtime from "effect/Runtime"
import * as Terminal from "effect/Terminal"
import { createRequire } from "node:module"
import * as Multifd from "./cli/Multifd.ts"

const { version } = createRequire(import.meta.url)("../package.json") as { readonly version: string }

/** The parser's type asks for these. Its prompts and file arguments use them; this program has none. */
const unused = Effect.die(new Error("the command line asks for no input"))

const services = Layer.mergeAll(
  NodeStdio.layer,
  Path.layer,
  FileSystem.layerNoop({}),
  Layer.succeed(
    Terminal.Terminal,
    Terminal.make({
      columns: unused,
      rows: unused,
      size: unused,
      readInput: unused,
      readLine: unused,
      display: () => unused
    })
  ),
  Layer.succeed(
    ChildProcessSpawner.ChildProcessSpawner,
    ChildProcessSpawner.make(() => unused)
  )
)

let isComplete = false
const onComplete = (): void => void (isComplete = true)

const main = Effect.suspend(() => Multifd.run({ version, onComplete })(process.argv.slice(2))).pipe(
  Effect.provide(services)
)

// Closing the terminal interrupts like Ctrl-C, so nothing half-done remains.
process.on("SIGHUP", () => process.emit("SIGTERM"))

/** An interruption that came too late has changed nothing. */
const teardown: Runtime.Teardown = (exit, onExit) =>
  Runtime.defaultTeardown(exit, (code) => onExit(isComplete && Exit.hasInterrupts(exit) ? 0 : code))

NodeRuntime.runMain(main, { disableErrorReporting: true, teardown })
