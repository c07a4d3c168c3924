/**
 * The `multifd` program, on a Node that is new enough for it.
 *
 * @since 0.1.0
 */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as NodeServices from "@effect/platform-node/NodeServices"
import * as Effect from "effect/Effect"
import { createRequire } from "node:module"
import * as Multifd from "./cli/Multifd.ts"

const { version } = createRequire(import.meta.url)("../package.json") as { readonly version: string }

const main = Effect.suspend(() => Multifd.run({ version })(process.argv.slice(2))).pipe(
  Effect.provide(NodeServices.layer)
)

// A terminal that goes away interrupts like Ctrl-C does: nothing half-done stays behind.
process.on("SIGHUP", () => process.emit("SIGTERM"))

NodeRuntime.runMain(main, { disableErrorReporting: true })
