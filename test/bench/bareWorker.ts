/**
 * What Node does at best without this project: a file goes over sockets into another one, each connection with a part.
 *
 *     node bareWorker.ts send FILE SIZE CONNECTIONS            prints `ready PORT`
 *     node bareWorker.ts receive FILE SIZE CONNECTIONS PORT    connects, and asks for a part with one byte each
 *
 * Both with the protocol of `worker.ts`. Each connection has two buffers on both sides, so that the file and the socket work
 * at the same time. The receiver connects because Node reads into given memory only on sockets that connected.
 */
import * as Fs from "node:fs"
import { once } from "node:events"
import * as Net from "node:net"
import * as Readline from "node:readline"
import { promisify } from "node:util"

const [role, path, ...numbers] = process.argv.slice(2)
const [size, connections, port] = numbers.map(Number) as [number, number, number]

const BUFFER = 1024 * 1024
const parts = Array.from({ length: connections }, (_, part) => part)

const read = promisify(Fs.read)
const write = promisify(Fs.write)

/** Where a part begins, which is where the one before it ends. */
const beginOf = (part: number): number => Math.min(size, Math.ceil((size * part) / connections / BUFFER) * BUFFER)

const makeBuffers = (): [Buffer, Buffer] => [Buffer.allocUnsafe(BUFFER), Buffer.allocUnsafe(BUFFER)]

const put = (socket: Net.Socket, bytes: Uint8Array): Promise<void> =>
  new Promise((resolve, reject) => {
    socket.write(bytes, (error) => (error == null ? resolve() : reject(error)))
  })

const sendPart = async (fd: number, socket: Net.Socket): Promise<void> => {
  const [asked] = (await once(socket, "data")) as [Buffer]
  const end = beginOf(asked[0]! + 1)
  let [buffer, other] = makeBuffers()
  let written = Promise.resolve()
  for (let at = beginOf(asked[0]!); at < end; at += BUFFER) {
    const { bytesRead } = await read(fd, buffer, 0, Math.min(BUFFER, end - at), at)
    await written
    written = put(socket, buffer.subarray(0, bytesRead))
    ;[buffer, other] = [other, buffer]
  }
  await written
  await once(socket.end(), "close")
}

/** A connection that fills a part of the file, from when the first byte arrives. */
const receivePart = (fd: number, part: number): { readonly socket: Net.Socket; readonly done: Promise<void> } => {
  let [buffer, other] = makeBuffers()
  let [at, filled] = [beginOf(part), 0]
  let written: Promise<unknown> = Promise.resolve()
  const flush = (): Promise<unknown> => {
    const before = written
    written = Promise.all([before, write(fd, buffer, 0, filled, at)])
    ;[buffer, other] = [other, buffer]
    at += filled
    filled = 0
    return before
  }
  const callback = (bytes: number): boolean => {
    filled += bytes
    if (filled < BUFFER) return true
    void flush().then(() => socket.resume())
    return false
  }
  const socket = Net.connect({ host: "127.0.0.1", port, onread: { buffer: () => buffer.subarray(filled), callback } })
  const done = once(socket, "end").then(async () => {
    void flush()
    await written
  })
  return { socket, done }
}

const listen = (fd: number): Promise<{ readonly port: number; readonly done: Promise<unknown> }> =>
  new Promise((resolve) => {
    const sockets: Array<Promise<void>> = []
    const done = new Promise((finished) => {
      const server = Net.createServer((socket) => {
        if (sockets.push(sendPart(fd, socket)) < connections) return
        server.close()
        finished(Promise.all(sockets))
      })
      server.listen(0, "127.0.0.1", () => resolve({ port: (server.address() as Net.AddressInfo).port, done }))
    })
  })

const firstLine = async (): Promise<void> => {
  const input = Readline.createInterface({ input: process.stdin })
  await once(input, "line")
  input.close()
}

const send = async (): Promise<number> => {
  const listening = await listen(Fs.openSync(path!, "r"))
  console.log(`ready ${listening.port}`)
  await firstLine()
  const begin = performance.now()
  await listening.done
  return performance.now() - begin
}

const receive = async (): Promise<number> => {
  const fd = Fs.openSync(path!, "w")
  Fs.ftruncateSync(fd, size)
  const receiving = parts.map((part) => receivePart(fd, part))
  await Promise.all(receiving.map(({ socket }) => once(socket, "connect")))
  console.log("ready")
  await firstLine()
  const begin = performance.now()
  receiving.forEach(({ socket }, part) => socket.write(Buffer.of(part)))
  await Promise.all(receiving.map(({ done }) => done))
  return performance.now() - begin
}

const total = await (role === "send" ? send() : receive())
console.log(JSON.stringify({ total, phases: { ram: total } }))
