import * as Fs from "node:fs"
import * as Net from "node:net"
import * as Path from "node:path"
import type { ErrnoError } from "./networkModel.ts"

/** A line of Linux's list of Unix sockets: numbers in hexadecimal, and behind them the path that it was bound by. */
const line = /^[0-9a-f]+: [0-9a-f]+ [0-9a-f]+ ([0-9a-f]+) [0-9a-f]+ [0-9a-f]+ +\d+ (.+)$/gim

/** The flag of one that listens. */
const LISTENS = 0x10000

const realPath = (path: string): string => {
  try {
    return Path.join(Fs.realpathSync.native(Path.dirname(path)), Path.basename(path))
  } catch {
    return Path.resolve(path)
  }
}

/**
 * Whether Linux lists a socket of that path that listens. It does not list those of other network namespaces, nor under an absolute
 * path those that were bound by a relative one.
 */
const isListed = (path: string, sockets: string): boolean => {
  const wanted = realPath(path)
  return Array.from(sockets.matchAll(line)).some(([, flags = "", bound = ""]) => {
    const maybe = Path.isAbsolute(bound) && Path.basename(bound) === Path.basename(wanted)
    return maybe && (Number.parseInt(flags, 16) & LISTENS) !== 0 && realPath(bound) === wanted
  })
}

const inUse = (path: string): ErrnoError =>
  Object.assign(new Error(`a process listens on ${path}`), { code: "EADDRINUSE", syscall: "listen" })

/** Says whether a connection comes about: then a process listens. */
const connect = (path: string, done: (error: ErrnoError | null, listens: boolean) => void): void => {
  const socket = Net.connect({ path })
  socket.once("connect", () => {
    socket.destroy()
    done(null, true)
  })
  socket.once("error", (error: ErrnoError) =>
    error.code === "ECONNREFUSED" || error.code === "ENOENT" ? done(null, false) : done(error, true)
  )
}

/**
 * Whether a process listens on the socket at a path. The list is asked first: some processes take a connection that ends at once
 * for their peer, and a QEMU that waits for a migration exits then.
 */
const listens = (path: string, done: (error: ErrnoError | null, listens: boolean) => void): void =>
  Fs.readFile("/proc/net/unix", "utf8", (error, sockets) => {
    if (error === null && isListed(path, sockets)) done(null, true)
    else connect(path, done)
  })

/**
 * Removes a socket that is left over at the path, so that it can be bound again. One that a process still listens on stays, and so
 * does anything else; binding fails with `EADDRINUSE`.
 *
 * @internal
 */
export const removeLeftover = (path: string, done: (error: ErrnoError | null) => void): void =>
  Fs.lstat(path, (error, stat) => {
    if (error !== null || !stat.isSocket()) return done(null)
    listens(path, (failure, isAlive) => {
      if (failure !== null) done(failure)
      else if (isAlive) done(inUse(path))
      else Fs.unlink(path, (failure) => done(failure?.code === "ENOENT" ? null : failure))
    })
  })
