import type { Calls, ErrnoError } from "../Network.ts"

const missing = (): ErrnoError => Object.assign(new Error("sockets"), { code: "ENOSYS" })

/**
 * Node's own sockets.
 *
 * @internal
 */
export const node: Calls = {
  connect: (_address, _options, done) => {
    done(missing())
    return () => undefined
  },
  listen: (_address, _options, done) => {
    done(missing())
    return () => undefined
  }
}
