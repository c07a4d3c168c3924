/**
 * The program of a lane. It imports neither Effect nor migrations, so it starts in milliseconds: each message is a job,
 * each answer a message.
 */
import { parentPort, workerData } from "node:worker_threads"
import type { Request, Start } from "./laneMessages.ts"
import { copyPages } from "./copyPages.ts"
import * as ScanBuffer from "./scanBuffer.ts"
import * as SystemCalls from "./systemCalls.ts"

const { cancelWords } = workerData as Start
const tools = { calls: SystemCalls.node, buffer: ScanBuffer.make() }

parentPort?.on("message", ({ job, slot }: Request) => {
  const answer = copyPages(job, { ...tools, isCancelled: () => Atomics.load(cancelWords, slot) !== 0 })
  parentPort?.postMessage({ slot, answer })
})
parentPort?.postMessage("ready")
