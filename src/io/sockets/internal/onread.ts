import type * as Net from "node:net"

/**
 * How Node reads into our memory: it asks for the place of the next bytes, and says how many have come there. With `false`
 * the socket is paused.
 *
 * @internal
 */
export interface Onread {
  readonly buffer: () => Uint8Array
  readonly callback: (bytes: number) => boolean
}

/**
 * The one place that uses what Node does not document.
 *
 * The option `onread` reads straight into our memory, but only a socket that connects can be made with it: a server makes its
 * sockets itself. By `data` events each piece is allocated and copied, which takes three times as long (two and a half
 * times with TLS). So the three places where a socket keeps that option, and its handle's method that begins it, are found
 * by their names, as they have been called since Node 12.
 *
 * Answers false, with nothing changed, where one of them is not there: then `data` events have to do. The socket is paused
 * and nobody has read of it.
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
