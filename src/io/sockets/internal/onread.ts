import type * as Net from "node:net"

/**
 * The interface by which Node reads into our memory: it asks for the place of the next bytes, and reports how many have
 * arrived there. Returning `false` pauses the socket.
 *
 * @internal
 */
export interface Onread {
  readonly buffer: () => Uint8Array
  readonly callback: (bytes: number) => boolean
}

/**
 * The only place that uses undocumented parts of Node.
 *
 * The option `onread` reads directly into our memory, but only a connecting socket can be created with it: a server
 * creates its sockets itself. With `data` events each piece is allocated and copied, which takes three times as long
 * (two and a half times with TLS). So the three places in which a socket keeps that option, and its handle's method
 * that starts it, are looked up by their names, which are unchanged since Node 12.
 *
 * Returns false and changes nothing if one of them is missing: then `data` events must do. The socket is paused and
 * nothing has been read from it.
 *
 * @internal
 */
export const setOnread = (socket: Net.Socket, { buffer, callback }: Onread): boolean => {
  const symbols = Object.getOwnPropertySymbols(socket)
  const [place, nextPlace, arrived] = ["kBuffer", "kBufferGen", "kBufferCb"].map((name) =>
    symbols.find(({ description }) => description === name)
  )
  const handle: unknown = Reflect.get(socket, "_handle")
  if (place === undefined || nextPlace === undefined || arrived === undefined || !canBegin(handle)) return false
  const first = buffer()
  Reflect.set(socket, place, first)
  Reflect.set(socket, nextPlace, buffer)
  Reflect.set(socket, arrived, callback)
  handle.useUserBuffer(first)
  return true
}

const canBegin = (handle: unknown): handle is { readonly useUserBuffer: (memory: Uint8Array) => void } =>
  typeof handle === "object" && handle !== null && typeof Reflect.get(handle, "useUserBuffer") === "function"
