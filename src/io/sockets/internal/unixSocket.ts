import * as Fs from "node:fs"
import * as Net from "node:net"
import * as Path from "node:path"
import type { ErrnoError } from "./networkModel.ts"

/** A line of Linux's list of Unix sockets: numbers in hexadecimal, followed by the path that it was bound to. */
const line = /^[0-9a-f]+: [0-9a-f]+ [0-9a-f]+ ([0-9a-f]+) [0-9a-f]+ [0-9a-f]+ +\d+ (.+)$/gim

/** The flag of a listening socket. */
const LISTENS = 0x10000

const realPath = (path: string): string => {
  try {
    return Path.join(Fs.realpathSync.native(Path.dirname(path)), Path.basename(path))
  } catch {
    return Path.resolve(path)
  }
}

/**
 * `true` if Linux lists a listening socket of that path. Sockets of other network namespaces are not listed, and those
 * bound by a relative path are not listed under an absolute one.
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

/** Reports whether a connection can be made: then a process listens. */
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
 * Checks if a process listens on the socket at a path. The list comes first: some processes take a connection that ends
 * at once for their peer, and a QEMU waiting for a migration then exits.
 */
const listens = (path: string, done: (error: ErrnoError | null, listens: boolean) => void): void =>
  Fs.readFile("/proc/net/unix", "utf8", (error, sockets) => {
    if (error === null && isListed(path, sockets)) done(null, true)
    else connect(path, done)
  })

/**
 * Removes a stale socket at the path, so that it can be bound again. A socket with a listening process stays, and so
 * does any other file; binding then fails with `EADDRINUSE`.
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
