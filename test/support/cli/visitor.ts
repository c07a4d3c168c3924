/** Somebody who connects and is no sender. */
import * as Effect from "effect/Effect"
import * as Net from "node:net"

/** Connects to who listens, says something and waits until it is hung up on. */
export const visit = (uri: string, bytes: Uint8Array): Effect.Effect<void> =>
  Effect.callback<void>((resume) => {
    const socket = Net.connect({ host: "127.0.0.1", port: Number(uri.split(":").at(-1)) })
    socket.on("connect", () => socket.write(bytes))
    socket.on("error", () => socket.destroy()).resume()
    socket.on("close", () => resume(Effect.void))
    return Effect.sync(() => void socket.destroy())
  })
