import { assert, describe, it } from "@effect/vitest"
import * as Result from "effect/Result"
import * as Runtime from "effect/Runtime"
import * as Schema from "effect/Schema"
import * as MigrationUri from "../../../src/io/sockets/MigrationUri.ts"
import * as SocketAddress from "../../../src/io/sockets/SocketAddress.ts"
import { between } from "../../support/arbitraries.ts"

/** What QEMU 10.0.2 made of each of these after `offset=`: where the stream began in the file. */
const accepted: ReadonlyArray<readonly [text: string, bytes: number]> = [
  ["4095", 4095],
  ["0x1000", 4096],
  ["0X10", 16],
  ["0xAb", 171],
  ["1M", 2 ** 20],
  ["1t", 2 ** 40],
  ["1.5k", 1536],
  ["1.1k", 1126],
  ["1.0001k", 1024],
  ["0.1k", 102],
  ["0.7k", 717],
  ["0.3333M", 349_490],
  ["1.9999k", 2048],
  ["1.99999999999999999999k", 2048],
  ["1.0004882812k", 1024],
  ["1.0004882813k", 1025],
  ["0.0004882812500k", 1],
  ["0.00001k", 0],
  [".5k", 512],
  ["1.k", 1024],
  ["1.", 1],
  ["1.0", 1],
  ["1B", 1],
  ["1b", 1],
  ["010", 10],
  ["00", 0],
  ["+5", 5],
  [" 5", 5],
  ["\t7", 7],
  ["2047.99999k", 2_097_152]
]

const refused = [
  "",
  ".",
  "0x",
  "-1",
  "-0",
  "- 1",
  "1.5",
  "1.5B",
  "0.5",
  "1e3",
  "1.5e1k",
  "0x20M",
  "0x10k",
  "0x1p3",
  "5 ",
  "5kB",
  "5KiB",
  "1kk",
  "1k5",
  "1_0",
  "1,offset=3",
  "5,foo",
  "inf",
  "nan"
]

/** QEMU takes these for numbers; no file is that large. */
const tooLarge = ["9007199254740992", "8E", "16E", "9223372036854775808", "0x20000000000000", "8192P", "1".repeat(400)]

const flip = (uri: string): MigrationUri.MigrationUriError => Result.getOrThrow(Result.flip(MigrationUri.parse(uri)))

describe("MigrationUri", () => {
  it.each(accepted)("offset=%s is %i, as in QEMU", (text, offset) => {
    assert.deepStrictEqual(
      MigrationUri.parse(`file:/x,offset=${text}`),
      Result.succeed({ _tag: "File", path: "/x", offset })
    )
  })

  it.each([...refused, ...tooLarge])("offset=%s is refused", (text) => {
    const error = flip(`file:/x,offset=${text}`)
    assert.strictEqual(error._tag, "MigrationUriError")
    assert.strictEqual(error.found, text)
    assert.strictEqual(error[Runtime.errorExitCode], 2)
    assert.include(error.message, "use an offset in bytes")
  })

  const parsed: ReadonlyArray<readonly [uri: string, expected: MigrationUri.MigrationUri]> = [
    ["file:/a/b", { _tag: "File", path: "/a/b" }],
    ["file:relative", { _tag: "File", path: "relative" }],
    ["file:/a,b,offset=3", { _tag: "File", path: "/a,b", offset: 3 }],
    ["file:/a,offset", { _tag: "File", path: "/a,offset" }],
    ["file:/a,Offset=5", { _tag: "File", path: "/a,Offset=5" }],
    ["file:/a,offset=0", { _tag: "File", path: "/a", offset: 0 }],
    ["/plain,offset=5", { _tag: "File", path: "/plain,offset=5" }],
    ["plain", { _tag: "File", path: "plain" }],
    ["./tcp:x", { _tag: "File", path: "./tcp:x" }],
    ["C:odd", { _tag: "File", path: "C:odd" }],
    ["tcp:127.0.0.1:0", { _tag: "Tcp", host: "127.0.0.1", port: 0 }],
    ["tcp:vm-host.example:65535", { _tag: "Tcp", host: "vm-host.example", port: 65535 }],
    ["tcp:[::1]:4444", { _tag: "Tcp", host: "::1", port: 4444 }],
    ["tcp:[127.0.0.1]:04444", { _tag: "Tcp", host: "127.0.0.1", port: 4444 }],
    ["tcp::4444", { _tag: "Tcp", host: "", port: 4444 }],
    ["unix:/run/vm,1.sock", { _tag: "Unix", path: "/run/vm,1.sock" }],
    [`unix:${"é".repeat(53)}x`, { _tag: "Unix", path: `${"é".repeat(53)}x` }]
  ]
  it.each(parsed)("reads %s", (uri, expected) => {
    assert.deepStrictEqual(MigrationUri.parse(uri), Result.succeed(expected))
  })

  const nothing: ReadonlyArray<string> = [
    ...["", "file:", "file:,offset=3", "vsock:1:2", "fd:3", "exec:cat", "rdma:x:1"],
    ...["tcp:", "tcp:host", "tcp:host:", "tcp:4444", "tcp:host:-1", "tcp:host:65536", "tcp:host:http", "tcp:host:1x"],
    ...["tcp:::1:4444", "tcp:[::1]", "tcp:[]:1", "tcp:host:1,ipv4=on", "tcp:host:0x10", "tcp:host:999999"],
    ...["unix:", `unix:${"x".repeat(108)}`, `unix:${"é".repeat(54)}`, "unix:a\0b"]
  ]
  it.each(nothing)("refuses %s", (uri) => {
    const error = flip(uri)
    assert.strictEqual(error.uri, uri)
    assert.include(error.message, JSON.stringify(uri))
  })

  it.each(["tcp:[::1]:4444", "tcp::4444", "tcp:host:0", "unix:/run/vm.sock"])("%s is written as it was read", (uri) => {
    const address = Result.getOrThrow(MigrationUri.parse(uri))
    assert(address._tag !== "File")
    assert.strictEqual(SocketAddress.format(address), uri)
  })

  it.prop("any text is read or refused, and a path stays what it was", { text: Schema.String }, ({ text }) => {
    MigrationUri.parse(text)
    MigrationUri.parse(`file:${text}`)
    assert.deepStrictEqual(MigrationUri.parse(`./${text}`), Result.succeed({ _tag: "File", path: `./${text}` }))
  })

  const Bytes = between(0, Number.MAX_SAFE_INTEGER)
  it.prop("reads every number in decimal and hexadecimal", { bytes: Bytes }, ({ bytes }) => {
    assert.strictEqual(MigrationUri.parseSize(String(bytes)), bytes)
    assert.strictEqual(MigrationUri.parseSize(`0x${bytes.toString(16)}`), bytes)
  })
})
