/**
 * The `multifd` program, once Node's version is known to suffice.
 *
 * @since 0.1.0
 */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as NodeServices from "@effect/platform-node/NodeServices"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Runtime from "effect/Runtime"
import { createRequire } from "node:module"
import * as Multifd from "./cli/Multifd.ts"

const { version } = createRequire(import.meta.url)("../package.json") as { readonly version: string }

let isComplete = false
const onComplete = (): void => void (isComplete = true)

const main = Effect.suspend(() => Multifd.run({ version, onComplete })(process.argv.slice(2))).pipe(
  Effect.provide(NodeServices.layer)
)

// Closing the terminal interrupts like Ctrl-C, so nothing half-done remains.
process.on("SIGHUP", () => process.emit("SIGTERM"))

/** An interruption that came too late has changed nothing. */
const teardown: Runtime.Teardown = (exit, onExit) =>
  Runtime.defaultTeardown(exit, (code) => onExit(isComplete && Exit.hasInterrupts(exit) ? 0 : code))

NodeRuntime.runMain(main, { disableErrorReporting: true, teardown })
