/**
 * Whether the kernel asks a silent peer if it is still there, as Linux tells of its connections.
 */
import { assert, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fs from "node:fs"
import { anyPort, connected } from "../support/worlds/networks.ts"

const TABLE = "/proc/net/tcp"

/** The kernel's timer of a connection that has nothing to send. */
const KEEPALIVE = 2

/** Milliseconds until the kernel asks, of the connections from one port to another; `undefined` where it never does. */
const timers = (from: number, to: number): ReadonlyArray<number | undefined> => {
  const port = (address: string | undefined) => Number.parseInt(address!.split(":")[1]!, 16)
  return Fs.readFileSync(TABLE, "utf8")
    .trim()
    .split("\n")
    .slice(1)
    .map((line) => line.trim().split(/\s+/))
    .filter(([, local, remote]) => port(local) === from && port(remote) === to)
    .map(([, , , , , timer]) => {
      const [kind, jiffies] = timer!.split(":").map((part) => Number.parseInt(part, 16))
      return kind === KEEPALIVE ? jiffies! * 10 : undefined
    })
}

const portOf = (peer: string): number => Number(peer.slice(peer.lastIndexOf(":") + 1))

it.effect.skipIf(!Fs.existsSync(TABLE))("each side asks after its own time, or never", () =>
  Effect.gen(function* () {
    for (const [client, server] of [
      [undefined, "10 minutes"],
      ["20 minutes", 0]
    ] as const) {
      const { far, near } = yield* connected(anyPort, { client: { keepAlive: client }, server: { keepAlive: server } })
      const [listening, connecting] = [portOf(near.peer), portOf(far.peer)]
      const [ofClient] = timers(connecting, listening)
      const [ofServer] = timers(listening, connecting)
      assert.approximately(ofClient!, client === undefined ? 30_000 : 1_200_000, 10_000)
      if (server === 0) assert.isUndefined(ofServer)
      else assert.approximately(ofServer!, 600_000, 10_000)
    }
  })
)
