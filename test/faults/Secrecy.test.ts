/**
 * What is in a guest's memory and devices stays there: no log, trace, error or printed line shows it, whatever succeeds
 * and however it fails. Memory that looks like the format itself is where a reader that is out of step would take it for names.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Scope from "effect/Scope"
import * as MappedRam from "../../src/format/image/MappedRam.ts"
import * as RamRecords from "../../src/format/stream/RamRecords.ts"
import * as SocketAddress from "../../src/io/sockets/SocketAddress.ts"
import * as Image from "../../src/image/Image.ts"
import * as MachineState from "../../src/snapshot/MachineState.ts"
import * as Migration from "../../src/migration/Migration.ts"
import * as Recover from "../../src/migration/Recover.ts"
import * as Seal from "../../src/image/Seal.ts"
import * as Verify from "../../src/image/Verify.ts"
import * as MemoryPages from "../../src/ram/MemoryPages.ts"
import * as MemoryDisk from "../../src/testing/MemoryDisk.ts"
import * as VirtualNetwork from "../../src/testing/VirtualNetwork.ts"
import * as Command from "../support/cli/command.ts"
import { folder } from "../support/cli/files.ts"
import { visit } from "../support/cli/visitor.ts"
import * as Sender from "../support/wire/sender.ts"
import { whileTimePasses } from "../support/time.ts"
import * as Eavesdropper from "../support/faults/eavesdropper.ts"

const SECRET = "correct-Horse7battery.Staple"
const PAGE = 4096
const PAGES = 16
const { convert, receive, restore, save } = Migration.make

const concat = (...parts: ReadonlyArray<Uint8Array | string>): Buffer =>
  Buffer.concat(parts.map((part) => (typeof part === "string" ? Buffer.from(part) : part)))
const u64 = (value: bigint): Buffer => {
  const bytes = Buffer.alloc(8)
  bytes.writeBigUInt64BE(value)
  return bytes
}
const name = concat(Uint8Array.of(SECRET.length), SECRET)

/** What guests may have in their memory: texts, and bytes that are like those of a migration. */
const memories: Readonly<Record<string, Uint8Array>> = {
  text: Buffer.from(SECRET),
  "texts with zeros between": concat(SECRET, Buffer.alloc(36)),
  "binary data": concat(Uint8Array.of(0xff, 0xfe, SECRET.length), SECRET, Uint8Array.of(0x80, 0xc3)),
  records: concat(u64(0x8n), name),
  "list of blocks": concat(name, u64(0x10000n), Buffer.alloc(8)),
  "RAM sections": concat(Uint8Array.of(1, 0, 0, 0, 9), name, Buffer.alloc(8)),
  "device sections": concat(Uint8Array.of(4, 0, 0, 0, 9), name, Buffer.alloc(8)),
  description: concat(Uint8Array.of(0, 6, 0, 0, 0, SECRET.length + 4), `{"${SECRET}`, '"}'),
  "description of another shape": concat(Uint8Array.of(0, 6, 0, 0, 0, SECRET.length + 14), `{"devices":["${SECRET}"]}`)
}

const filled = (length: number, pattern: Uint8Array, from = 0): Uint8Array =>
  new Uint8Array(
    Buffer.concat(Array.from({ length: Math.ceil((length + from) / pattern.length) }, () => pattern))
  ).subarray(from, from + length)

const assertSecret = (text: string): void => assert.isUndefined(Eavesdropper.leakIn(text, SECRET))

describe("the eavesdropper", () => {
  it.effect("hears what is logged, traced, raised and attached, in every form", () =>
    Effect.gen(function* () {
      const bytes = Buffer.from(`at 17: ${SECRET.slice(3, 20)}`)
      for (const form of [
        bytes.toString(),
        bytes.toString("hex"),
        bytes.toString("base64"),
        bytes,
        new Uint8Array(bytes)
      ]) {
        const ways = [
          Effect.logTrace(form),
          Effect.logDebug({ deep: { inside: form } }),
          Effect.fail({ form }),
          Effect.die(new Error("outer", { cause: form })),
          Effect.annotateCurrentSpan({ form }).pipe(Effect.withSpan("span"))
        ]
        for (const way of ways) {
          const ear = Eavesdropper.make()
          yield* ear.listen(way)
          assert.isDefined(Eavesdropper.leakIn(ear.text(), SECRET), ear.text())
        }
      }
      assert.isUndefined(Eavesdropper.leakIn(JSON.stringify({ magic: 0x636f7272, at: "correct" }), SECRET))
    })
  )
})

/** An image of a machine that has this in its memory and in its devices. */
const imageOf = (pattern: Uint8Array) =>
  Effect.gen(function* () {
    const disk = MemoryDisk.make()
    const data = filled(700, pattern)
    const block = (idstr: string, from: number) =>
      MemoryPages.make({ idstr, memory: filled(PAGES * PAGE, pattern, from) })
    const machineState = yield* MachineState.fromSections({
      machine: "pc-q35-10.0",
      sections: ["cpu", "timer"].map((name, instanceId) => ({ name, instanceId, version: 1, data }))
    })
    const blocks = [yield* block("pc.ram", 0), yield* block("vga.vram", 5)]
    yield* Effect.provide(save({ target: "/image", blocks, machineState }), disk.layer)
    return disk.read("/image")!
  }).pipe(Effect.orDie)

/** Everything that can be done with an image, whether it succeeds or fails. */
const uses: ReadonlyArray<Effect.Effect<unknown, unknown, Scope.Scope>> = [
  Effect.gen(function* () {
    const image = yield* Image.open("/image")
    const blocks = yield* Effect.forEach(image.blocks, ({ idstr, usedLength }) =>
      MemoryPages.make({ idstr, memory: new Uint8Array(usedLength) })
    )
    yield* restore({ source: image, blocks })
  }),
  Effect.flatMap(Image.open("/image", { verify: false }), (source) => convert({ source, target: "/converted" })),
  Effect.flatMap(Verify.run("/image"), ({ damage, error, inspection }) =>
    Effect.fail([error, damage, inspection.findings.map((finding) => [finding, finding.message])])
  ),
  Recover.run({ source: "/image", target: "/recovered" }),
  Seal.run("/image")
]

/** The image with a number of 8 bytes changed. */
const withU64 = (image: Uint8Array, at: number, change: (value: bigint) => bigint): Uint8Array => {
  const copy = Buffer.from(image)
  copy.writeBigUInt64BE(BigInt.asUintN(64, change(copy.readBigUInt64BE(at))), at)
  return copy
}

/**
 * Wherever the list of blocks and the device state are looked for in the pages, at every place of the pattern; and a byte
 * here and there that is another one.
 */
const damagesOf = (image: Uint8Array, pattern: Uint8Array): ReadonlyArray<Uint8Array> => {
  const entry = Buffer.from(image).indexOf("pc.ram") - 1
  const header = entry + 1 + "pc.ram".length + 8
  const pagesOffset = header + MappedRam.PAGES_OFFSET_AT
  const step = Math.max(1, Math.floor(pattern.length / 6))
  const places = Array.from({ length: 7 }, (_, index) => BigInt(index * step))
  const structure = [...Array(4).keys()].flatMap((index) => [index * 61, image.length - 4096 - index * 443])
  return [
    ...places.map((place) => withU64(image, pagesOffset, (offset) => offset - BigInt(PAGES * PAGE) + place)),
    ...structure.map((at, index) => {
      const copy = Uint8Array.from(image)
      copy[at] = [0, 0xff, copy[at]! ^ 1, copy[at]! + 7][index % 4]!
      return copy
    })
  ]
}

describe("images", { timeout: 120_000 }, () => {
  for (const [what, pattern] of Object.entries(memories)) {
    it.effect(`a guest with ${what} in it`, () =>
      Effect.gen(function* () {
        const ear = Eavesdropper.make()
        const image = yield* imageOf(pattern)
        const failures: Array<boolean> = []
        for (const bytes of [image, ...damagesOf(image, pattern)]) {
          const disk = MemoryDisk.make()
          disk.write("/image", bytes)
          for (const use of uses) {
            const exit = yield* ear.listen(Effect.provide(Effect.scoped(use), disk.layer))
            failures.push(Exit.isFailure(exit))
          }
        }
        assertSecret(ear.text())
        assert.includeMembers(failures, [true, false])
      })
    )
  }
})

/** What a sender of such a guest says, and how it may lose its step: in front of a page, and between RAM and the devices. */
const scriptsOf = (pattern: Uint8Array): ReadonlyArray<Sender.Script> => {
  const page = filled(PAGE, pattern)
  const state = concat(Uint8Array.of(4, 0, 0, 0, 2, 3), "cpu", Buffer.alloc(8), filled(300, pattern))
  const records = (skip: number) =>
    [0, PAGE].flatMap((offset) =>
      concat(...RamRecords.make().pages(Sender.BLOCK, [{ offset, bytes: page }])).subarray(offset === 0 ? 0 : skip)
    )
  const lane = (skip: number) => [Sender.init(0), Sender.sync(), concat(Sender.header(), page, page.subarray(skip))]
  const places = Array.from({ length: 5 }, (_, index) => Math.floor((index * pattern.length) / 5))
  return [
    { main: Sender.main({ records: [Sender.part(...records(0))], state: [state] }), lanes: [] },
    ...places.flatMap((place) => [
      { main: Sender.main({ records: [Sender.part(...records(10 + place))] }), lanes: [] },
      { main: Sender.main({ records: [page.subarray(place)] }), lanes: [] },
      { main: Sender.main({ start: [page.subarray(place)] }), lanes: [] },
      { main: Sender.main({ end: [], state: [state.subarray(place)] }), lanes: [] },
      { main: Sender.main(), lanes: [lane(place)] }
    ])
  ]
}

describe("senders", { timeout: 120_000 }, () => {
  const listen = SocketAddress.tcp("127.0.0.1", 4444)

  for (const [what, pattern] of Object.entries(memories)) {
    it.effect(`a guest with ${what} in it`, () =>
      Effect.gen(function* () {
        const ear = Eavesdropper.make()
        const successes: Array<boolean> = []
        for (const script of scriptsOf(pattern)) {
          const network = yield* VirtualNetwork.make()
          const listening = yield* Deferred.make<void>()
          const onListening = () => Effect.asVoid(Deferred.succeed(listening, undefined))
          const received = Effect.gen(function* () {
            yield* Effect.forkScoped(Effect.andThen(Deferred.await(listening), Sender.play(script, listen)))
            return yield* receive({ listen, target: "/image", channels: script.lanes.length, onListening })
          }).pipe(Effect.scoped, Effect.provide(MemoryDisk.make().layer), Effect.provide(network.layer))
          successes.push(Exit.isSuccess(yield* ear.listen(whileTimePasses(received))))
        }
        assertSecret(ear.text())
        assert.deepStrictEqual([successes[0], successes.filter(Boolean).length < successes.length], [true, true])
      })
    )
  }
})

describe("the command", { timeout: 60_000 }, () => {
  it.live("prints names and numbers, whatever it is asked for", () =>
    Effect.gen(function* () {
      const { at, read, write } = yield* folder
      const heard: Array<string> = []
      const multifd = (...args: ReadonlyArray<string>) =>
        Effect.map(Command.run(...args, "--log-level", "all"), (ran) => {
          heard.push(ran.stdout, ran.stderr)
          return ran.code
        })
      const memory = Buffer.alloc(64 * PAGE, SECRET)
      write("ram", memory)
      write("machine.img", yield* imageOf(Buffer.from(SECRET)))
      const block = ["--block", `pc.ram=${at("ram")}`]
      const json = ["--progress", "json"]
      const codes = [
        yield* multifd("save", ...block, at("vm.img"), ...json),
        yield* multifd("save", ...block, "--device-state", at("machine.img"), at("new.img"), ...json),
        yield* multifd("info", at("machine.img"), "--json"),
        yield* multifd("verify", at("machine.img"), "--json"),
        yield* multifd("convert", at("machine.img"), at("converted.img"), ...json),
        yield* multifd("restore", at("vm.img"), "--block", `pc.ram=${at("back")}`)
      ]
      assert.deepStrictEqual(codes, [0, 0, 0, 0, 0, 0], heard.join(""))
      assert.isTrue(read("back").equals(memory))
      const { ran, uri } = yield* Command.listen("--listen", "tcp::0", at("received.img"))
      assert.strictEqual(yield* multifd("send", at("machine.img"), "--to", uri, ...json), 0)
      heard.push((yield* ran).stderr)

      for (const damaged of damagesOf(read("machine.img"), Buffer.from(SECRET)).filter((_, index) => index % 4 === 0)) {
        write("bad.img", damaged)
        yield* multifd("info", at("bad.img"), "--json")
        yield* multifd("verify", at("bad.img"))
        yield* multifd("recover", at("bad.img"), at("recovered.img"))
      }
      assert.strictEqual(yield* multifd("info", at("ram")), 3)
      assert.strictEqual(yield* multifd("send", at("ram"), "--to", uri), 3)
      const garbage = yield* Command.listen("--listen", "tcp::0", at("garbage.img"))
      yield* visit(garbage.uri, memory.subarray(0, 3 * PAGE))
      const { code, stderr } = yield* garbage.ran
      assert.strictEqual(code, 8, stderr)
      assertSecret([...heard, stderr].join("\n"))
    })
  )
})
