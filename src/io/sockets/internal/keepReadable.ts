import type * as Net from "node:net"

/**
 * Keeps a socket readable after a write has failed: Node would discard the data that the kernel still has.
 *
 * A failing peer sends the reason and closes while we are writing to it. By default the failing write destroys the
 * socket, and the reason, which arrived before, is lost. The documented option works only for streams that we create; a
 * socket has an internal switch of the same name. If the switch is missing, nothing changes: then `error` comes from a
 * socket that is already destroyed.
 *
 * @internal
 */
export const keepReadable = (socket: Net.Socket): void => {
  for (const side of ["_readableState", "_writableState"]) {
    const state: unknown = Reflect.get(socket, side)
    if (typeof state === "object" && state !== null && "autoDestroy" in state) Reflect.set(state, "autoDestroy", false)
  }
}
