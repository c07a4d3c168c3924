import type * as Net from "node:net"

/**
 * Lets a socket be read after a write has failed: Node would throw away what the kernel still has.
 *
 * A peer that gives up says why, and closes while we are writing to it. By default the failing write destroys the socket,
 * and the reason, which arrived before, is lost. Only streams that one makes can be made otherwise; a socket has the
 * switch inside, under the name that the documented option has. Where it is not there, all stays as it is: then `error`
 * comes from a socket that is destroyed already.
 *
 * @internal
 */
export const keepReadable = (socket: Net.Socket): void => {
  for (const side of ["_readableState", "_writableState"]) {
    const state: unknown = Reflect.get(socket, side)
    if (typeof state === "object" && state !== null && "autoDestroy" in state) Reflect.set(state, "autoDestroy", false)
  }
}
