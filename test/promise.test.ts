import { assert, describe, it } from "@effect/vitest"
import * as Fs from "node:fs"
import * as Os from "node:os"
import * as Path from "node:path"
import * as SocketAddress from "../src/io/sockets/SocketAddress.ts"
import * as Promises from "../src/promise.ts"

const inFolder = async (f: (file: (name: string) => string) => Promise<void>): Promise<void> => {
  const folder = Fs.mkdtempSync(Path.join(Os.tmpdir(), "multifd-"))
  try {
    await f((name) => Path.join(folder, name))
  } finally {
    Fs.rmSync(folder, { recursive: true })
  }
}

const memory = new Uint8Array(64 * 4096).map((_, at) => (at >> 12) & 1 && at % 253)

describe("promises", () => {
  it("save, inspect, verify, convert and load", () =>
    inFolder(async (file) => {
      await Promises.saveMemory(file("a"), { ram: memory, devices: { cpu: Uint8Array.of(1) } })
      assert.deepStrictEqual((await Promises.inspect(file("a"))).findings, [])
      assert.deepStrictEqual((await Promises.verify(file("a"))).damage, [])
      await Promises.convert(file("a"), { target: file("b") })
      assert.deepStrictEqual((await Promises.loadMemory(file("b"))).ram, { ram: memory })
    }))

  it("send and receive", () =>
    inFolder(async (file) => {
      await Promises.saveMemory(file("a"), { ram: memory })
      const to = SocketAddress.unix(file("socket"))
      const received = Promises.receive({ listen: to, target: file("b") })
      while (!Fs.existsSync(file("socket"))) await new Promise((resolve) => setImmediate(resolve))
      await Promises.send(file("a"), { to })
      assert.strictEqual((await received).pages, 64)
      assert.deepStrictEqual((await Promises.loadMemory(file("b"))).ram, { ram: memory })
    }))

  it("reject with the typed error", () =>
    inFolder(async (file) => {
      const error = await Promises.loadMemory(file("nothing")).then(
        () => undefined,
        (error: unknown) => error
      )
      assert.instanceOf(error, Error)
      assert.propertyVal(error, "_tag", "FileNotFoundError")
      assert.include((error as Error).message, file("nothing"))
    }))

  it("leave nothing behind when they are aborted", () =>
    inFolder(async (file) => {
      const { abort, signal } = ((controller) => ({ abort: () => controller.abort(), signal: controller.signal }))(
        new AbortController()
      )
      const received = Promises.receive({ listen: SocketAddress.unix(file("socket")), target: file("a"), signal })
      while (!Fs.existsSync(file("socket"))) await new Promise((resolve) => setImmediate(resolve))
      abort()
      assert.isDefined(
        await received.then(
          () => undefined,
          (error: unknown) => error
        )
      )
      assert.deepStrictEqual(Fs.readdirSync(Path.dirname(file("a"))), [])
    }))
})
