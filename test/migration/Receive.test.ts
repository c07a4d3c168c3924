import { assert, describe, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Logger from "effect/Logger"
import * as Stream from "effect/Stream"
import * as MigrationStream from "../../src/format/stream/MigrationStream.ts"
import * as RamRecords from "../../src/format/stream/RamRecords.ts"
import * as ReturnPath from "../../src/format/stream/ReturnPath.ts"
import * as Xbzrle from "../../src/format/stream/Xbzrle.ts"
import * as DeviceStatePacket from "../../src/format/multifd/DeviceStatePacket.ts"
import * as SocketAddress from "../../src/io/sockets/SocketAddress.ts"
import * as ByteSource from "../../src/snapshot/ByteSource.ts"
import * as Image from "../../src/image/Image.ts"
import * as Migration from "../../src/migration/Migration.ts"
import * as Progress from "../../src/migration/Progress.ts"
import type { ReceiveOptions } from "../../src/migration/ReceiveOptions.ts"
import type { DevicePacket } from "../../src/multifd/ReceiveChannel.ts"
import * as MemoryPages from "../../src/ram/MemoryPages.ts"
import * as FaultyFiles from "../../src/testing/FaultyFiles.ts"
import * as FaultyNetwork from "../../src/testing/FaultyNetwork.ts"
import * as MemoryDisk from "../../src/testing/MemoryDisk.ts"
import * as VirtualNetwork from "../../src/testing/VirtualNetwork.ts"
import * as BlocksTarget from "../../src/snapshot/BlocksTarget.ts"
import type { MachineState } from "../../src/snapshot/MachineState.ts"
import type { MigrationRequestError } from "../../src/snapshot/MigrationRequestError.ts"
import * as Sender from "../support/wire/sender.ts"
import { whileTimePasses } from "../support/time.ts"
import { itWorld } from "../support/worlds/it.ts"

const { receive } = Migration.make
const listen = SocketAddress.tcp("10.0.0.1", 4444)
const NIL = "00000000-0000-0000-0000-000000000000"

/** Plays a script to whatever receives, which is told when to begin. */
const against = <A, E>(
  script: Sender.Script,
  start: (onListening: () => Effect.Effect<void>) => Effect.Effect<A, E>
): Effect.Effect<A, E> =>
  Effect.gen(function* () {
    const listening = yield* Deferred.make<void>()
    const play = Effect.andThen(Deferred.await(listening), Sender.play(script, listen))
    yield* Effect.forkScoped(play)
    return yield* start(() => Effect.asVoid(Deferred.succeed(listening, undefined)))
  }).pipe(Effect.scoped)

const into = (script: Sender.Script, options: Partial<ReceiveOptions> = {}) =>
  against(script, (onListening) =>
    receive({ listen, target: "/image", channels: script.lanes.length, onListening, ...options })
  )

type IntoBlocks<E> = Partial<ReceiveOptions<MachineState, E | MigrationRequestError>>

const intoBlocks = <E = never>(script: Sender.Script, blocks: BlocksTarget.Blocks<E>, options: IntoBlocks<E> = {}) =>
  against(script, (onListening) =>
    receive({ listen, channels: script.lanes.length, onListening, ...options, target: BlocksTarget.make(blocks) })
  )

/** The first byte of each page of the image. */
const firstBytes = (path = "/image") =>
  Effect.gen(function* () {
    const image = yield* Image.open(path)
    assert.deepStrictEqual(
      image.findings.filter(({ severity }) => severity === "error"),
      []
    )
    const bytes = yield* image.readPages("m", 0, Sender.BLOCK.usedLength)
    return { image, bytes: Array.from({ length: Sender.PAGES }, (_, page) => bytes[page * Sender.PAGE]!) }
  })

const pages = (values: Readonly<Record<number, number>>) =>
  Array.from({ length: Sender.PAGES }, (_, page) => values[page] ?? 0)

const zeroPacket = (...zero: ReadonlyArray<number>) =>
  Sender.header({ normal: [], zero: zero.map((page) => page * Sender.PAGE) })

describe("receive", () => {
  itWorld("later epochs win: pages that become zero are zero, and the other way round", function* () {
    const summary = yield* into({
      main: Sender.main({ records: [Sender.part(Sender.flush)] }),
      lanes: [
        [
          Sender.init(0),
          Sender.sync(),
          Sender.packet(1, 1),
          Sender.packet(2, 2),
          zeroPacket(3),
          Sender.sync(),
          Sender.sync()
        ],
        [
          Sender.init(1),
          Sender.sync(),
          Sender.packet(4, 4),
          Sender.sync(),
          zeroPacket(1),
          Sender.packet(3, 3),
          Sender.packet(4, 5),
          Sender.sync()
        ]
      ]
    })
    const { bytes, image } = yield* firstBytes()
    assert.deepStrictEqual(bytes, pages({ 2: 2, 3: 3, 4: 5 }))
    assert.strictEqual(image.blocks[0]!.pagesPresent, 3)
    assert.deepInclude(summary, { bytesTotal: 65536, normalPages: 5, zeroPages: 2, pages: 7 })
  })

  itWorld("a SYNC of an old sender may have pages, and an empty packet may follow it", function* () {
    const syncWithPages = Sender.header({ sync: true, normal: [Sender.PAGE] })
    // Before 8.2, it says the length of what was sent before it.
    const empty = Sender.header({ normal: [], packetNum: 0, payloadLength: Sender.PAGE })
    yield* into({
      main: Sender.main(),
      lanes: [[Sender.init(0), Sender.sync(), empty, syncWithPages, new Uint8Array(Sender.PAGE).fill(9), empty]]
    })
    assert.deepStrictEqual((yield* firstBytes()).bytes, pages({ 1: 9 }))
  })

  itWorld("sections are the marks where START has none", function* () {
    yield* into({
      main: Sender.main({ start: [Sender.start(false)], end: [Sender.ramEnd(false)] }),
      lanes: [[Sender.init(0), Sender.sync(), Sender.packet(1, 1), Sender.sync(), zeroPacket(1), Sender.sync()]]
    })
    assert.deepStrictEqual((yield* firstBytes()).bytes, pages({}))
  })

  itWorld("without multifd, 8.1 flushes channels that it does not have", function* () {
    const { pages: pageRecords } = RamRecords.make()
    const records = Buffer.concat([
      ...pageRecords(Sender.BLOCK, [{ offset: 0, bytes: new Uint8Array(Sender.PAGE).fill(5) }])
    ])
    const flushed = [Sender.part(records, Sender.flush), Sender.part(Sender.flush)]
    yield* into({ main: Sender.main({ records: flushed }), lanes: [] })
    assert.deepStrictEqual((yield* firstBytes()).bytes, pages({ 0: 5 }))
  })

  itWorld("without multifd, pages are records; changes refer to what was there before", function* () {
    const { changes, pages: pageRecords, zeros } = RamRecords.make()
    const page = (byte: number) => new Uint8Array(Sender.PAGE).fill(byte)
    const changed = page(7)
    changed[0] = 8
    const records = Buffer.concat([
      ...pageRecords(
        Sender.BLOCK,
        [1, 5, 2].map((number) => ({ offset: number * Sender.PAGE, bytes: page(number) }))
      ),
      zeros(Sender.BLOCK, [
        { offset: 5 * Sender.PAGE, length: Sender.PAGE },
        { offset: 4 * Sender.PAGE, length: 2 * Sender.PAGE }
      ]),
      ...pageRecords(Sender.BLOCK, [{ offset: 6 * Sender.PAGE, bytes: page(7) }]),
      ...changes(Sender.BLOCK, [
        { offset: 6 * Sender.PAGE, bytes: Xbzrle.encode(page(7), changed)! },
        { offset: 9 * Sender.PAGE, bytes: Uint8Array.of(0, 1, 8) }
      ])
    ])
    yield* into({ main: Sender.main({ records: [Sender.part(records)] }), lanes: [] })
    assert.deepStrictEqual((yield* firstBytes()).bytes, pages({ 1: 1, 2: 2, 6: 8, 9: 8 }))
  })

  itWorld("everything that is not RAM is carried, and what was said on the connection is left out", function* () {
    const section = (name: string) =>
      Buffer.concat([
        MigrationStream.encodeSectionHeader({ type: "full", sectionId: 40, name, instanceId: 0, version: 1 }),
        new Uint8Array(20).fill(3),
        MigrationStream.encodeFooter(40)
      ])
    const { openReturnPath, ping, switchoverStart } = MigrationStream.Command
    const { encodeCommand } = MigrationStream
    const configuration = { machine: "pc-q35-9.1", capabilities: [], uuid: new Uint8Array(16).fill(5) }
    const { lanes } = Sender.honest(2)
    yield* into({
      main: Sender.main({
        head: [
          Sender.head(configuration),
          encodeCommand(openReturnPath),
          encodeCommand(ping, Uint8Array.of(0, 0, 0, 9)),
          section("early/a")
        ],
        records: [section("early/b"), encodeCommand(switchoverStart)],
        description: [
          Sender.describe(
            ["early/a", "early/b"].map((name) => ({ name, instanceId: 0, version: 1, data: new Uint8Array(20) }))
          )
        ]
      }).concat("hear"),
      lanes
    })
    const { image } = yield* firstBytes()
    const { deviceState, early, footers, prelude, switchoverStart: switches } = image.machineState
    assert.deepStrictEqual(image.configuration, { ...configuration, capabilities: ["mapped-ram"] })
    assert.isTrue(section("early/a").equals(prelude))
    assert.isTrue(section("early/b").equals(early))
    assert.deepStrictEqual([footers, switches, deviceState.length], [true, true, Sender.state.length])
  })

  itWorld("device state without a description is carried, too", function* () {
    yield* into({ ...Sender.honest(1), main: Sender.main({ description: [Uint8Array.of(0)] }) })
    const { image } = yield* firstBytes()
    assert.deepStrictEqual(
      image.findings.map(({ code }) => code),
      ["description-missing"]
    )
  })

  itWorld("pages of another size, where the receiver is told", function* () {
    const error = yield* Effect.flip(into(Sender.honest(1), { pageSize: 8192 }))
    assert.strictEqual(error._tag, "ProtocolError")
    yield* into({ main: Sender.main(), lanes: [] }, { pageSize: 8192 })
    const { image } = yield* firstBytes()
    assert.strictEqual(image.blocks[0]!.pageSize, 8192)
  })

  itWorld("tells, or logs, who else could send", function* () {
    const logged: Array<string> = []
    const log = Logger.make(({ logLevel, message }) => void logged.push(`${logLevel}: ${String(message)}`))
    const told: Array<string> = []
    const onProblem = (problem: string) => Effect.sync(() => void told.push(problem))
    yield* into(Sender.honest(1)).pipe(Effect.provide(Logger.layer([log])))
    assert.lengthOf(logged, 1)
    assert.match(logged[0]!, /^Warn: anyone who reaches tcp:10\.0\.0\.1:4444 can send an image or read along/)
    yield* into(Sender.honest(1), { onProblem }).pipe(Effect.provide(Logger.layer([log])))
    assert.deepStrictEqual(logged, [`Warn: ${told[0]}`])
  })

  itWorld("with O_DIRECT, through aligned memory", function* () {
    yield* into(Sender.honest(8), { directIo: true })
    const { bytes } = yield* firstBytes()
    assert.deepStrictEqual(bytes.slice(0, 9), [0x40, 0x41, 0x42, 0x43, 0x44, 0x45, 0x46, 0x47, 0])
  })

  itWorld("says how far it is, in the words of a destination", function* () {
    const progress = yield* Progress.makeDestination
    const phases: Array<string> = []
    const watching = yield* Effect.forkChild(
      Stream.runForEach(progress.status.changes, (status) => Effect.sync(() => phases.push(status))),
      { startImmediately: true }
    )
    yield* into(Sender.honest(2), { progress })
    yield* Fiber.interrupt(watching)
    assert.deepInclude(yield* progress.snapshot, { phase: "completed", bytesTotal: 65536, normalPages: 2 })
    assert.deepStrictEqual(phases.slice(-2), ["active", "completed"])
  })
})

/** Receives what a script sends: how it ends, and everything that the receiver says on the main channel. */
const receiving = (script: Sender.Script, options: Partial<ReceiveOptions> = {}) =>
  Effect.gen(function* () {
    const heard: Array<Uint8Array> = []
    const hear = (bytes: Uint8Array) => {
      heard.push(bytes.slice())
      script.heard?.(bytes)
    }
    const exit = yield* Effect.exit(into({ ...script, heard: hear }, options))
    return { exit, heard: Buffer.concat(heard) }
  })

const { encodeCommand } = MigrationStream
const question = (value: number) => encodeCommand(MigrationStream.Command.ping, Uint8Array.of(0, 0, 0, value))
const openReturnPath = encodeCommand(MigrationStream.Command.openReturnPath)

const talking = (machine: string, description: Sender.Steps = [Sender.description, "hear"]): Sender.Script => ({
  ...Sender.honest(2),
  main: Sender.main({
    head: [Sender.head({ machine }), openReturnPath, question(1)],
    records: [Sender.part(), question(7)],
    description
  })
})

const pong = (value: number) => ReturnPath.encode({ _tag: "Pong", value })
const shut = (value: number) => ReturnPath.encode({ _tag: "Shut", value })
const acknowledged = ReturnPath.encode({ _tag: "SwitchoverAck" })

describe("a sender with a return path", () => {
  itWorld("is answered, and told of success when the image is durable under its name", function* ({ disk }) {
    let durable: Uint8Array | undefined
    const whenHeard = () => void (durable = disk.powerCut().read("/image"))
    const { exit, heard } = yield* receiving({ ...talking("pc-q35-10.0"), heard: whenHeard })
    yield* exit
    assert.isTrue(heard.equals(Buffer.concat([pong(1), acknowledged, pong(7), shut(0)])))
    assert.deepStrictEqual(durable, disk.read("/image"))
  })

  const acknowledgements: ReadonlyArray<readonly [machine: string, ours: boolean | undefined, acknowledges: boolean]> =
    [
      ["pc-i440fx-8.0", undefined, false],
      ["pc-i440fx-jammy", undefined, false],
      ["pc-q35-8.1", undefined, true],
      ["pc-q35-noble-v2", undefined, true],
      ["pc-q35-11.0", undefined, true],
      ["pc-q35-11.1", undefined, false],
      ["pc-i440fx-11.2", undefined, false],
      ["microvm", undefined, false],
      ["none", undefined, false],
      ["pc-q35-10.0", false, false],
      ["microvm", true, true],
      ["pc-i440fx-8.0", true, true]
    ]
  for (const [machine, switchoverAck, acknowledges] of acknowledgements) {
    const said = switchoverAck === undefined ? "" : `, told ${switchoverAck}`
    itWorld(`of a ${machine}${said} ${acknowledges ? "is" : "is not"} told that it may switch over`, function* () {
      const { exit, heard } = yield* receiving(talking(machine), { switchoverAck })
      yield* exit
      const all = [pong(1), ...(acknowledges ? [acknowledged] : []), pong(7), shut(0)]
      assert.isTrue(heard.equals(Buffer.concat(all)))
    })
  }

  itWorld("may end its side by itself, description or not", function* () {
    const { exit, heard } = yield* receiving(talking("pc-q35-10.0", [Uint8Array.of(0)]))
    yield* exit
    assert.isTrue(heard.subarray(-8).equals(shut(0)))
  })

  itWorld("is told of failure", function* ({ disk }) {
    const script = talking("pc-q35-10.0")
    const lanes = [script.lanes[0]!, Sender.lane(1, [Sender.header({ idstr: "nope" })])]
    const { exit, heard } = yield* receiving({ ...script, lanes })
    assert.strictEqual((yield* Effect.flip(exit))._tag, "ProtocolError")
    assert.isTrue(heard.subarray(-8).equals(shut(1)))
    assert.deepStrictEqual(disk.files(), [])
  })

  itWorld("that hangs up before it hears of success has failed", function* ({ disk }) {
    const { exit } = yield* receiving(talking("pc-q35-10.0", [Sender.description, "close"]))
    assert.deepInclude(yield* Effect.flip(exit), { _tag: "SenderLeftError", complete: false })
    assert.deepStrictEqual(disk.files(), [])
  })

  itWorld(
    "that was told that it may switch over, and fails because of it, is given the time to hang up",
    function* ({ disk }) {
      const script = talking("pc-q35-11.1", [Sender.description, { pause: 150 }, "close"])
      const { exit } = yield* receiving(script, { switchoverAck: true })
      assert.strictEqual((yield* Effect.flip(exit))._tag, "SenderLeftError")
      assert.deepStrictEqual(disk.files(), [])
    }
  )

  itWorld("that cannot be told any more has failed, although the image is there", function* ({ disk, network }) {
    let writes = 0
    const isAnswer = ({ name, peer }: FaultyNetwork.Call) =>
      name === "write" && peer !== SocketAddress.format(listen) && ++writes === 3
    const plan = FaultyFiles.from(0, FaultyFiles.Fault.Fail({ code: "EPIPE" }), isAnswer)
    const { exit, heard } = yield* Effect.provide(
      receiving(talking("pc-i440fx-8.0")),
      FaultyNetwork.make(plan, network.calls).layer
    )
    const error = yield* Effect.flip(exit)
    assert.deepInclude(error, { _tag: "SenderLeftError", complete: true })
    assert.match(error.message, /its guest may be running there; everything had arrived, and was kept$/)
    assert.isTrue(heard.equals(Buffer.concat([pong(1), pong(7)])))
    assert.deepStrictEqual(disk.files(), ["/image"])
  })

  itWorld("may hang up where the caller knows what becomes of it", function* () {
    const script = talking("pc-q35-10.0", [Sender.description, "close"])
    const { exit } = yield* receiving(script, { onReceived: Effect.sleep(10) })
    yield* exit
  })

  itWorld("that does not hang up does not keep the receiver", function* () {
    const { exit } = yield* receiving(talking("pc-q35-10.0", [Sender.description, "stay"]))
    yield* exit
  })
})

describe("what marked the SYNCs", () => {
  const notesOf = (script: Sender.Script, options: Partial<ReceiveOptions> = {}) =>
    Effect.gen(function* () {
      const disk = MemoryDisk.make()
      const network = yield* VirtualNetwork.make()
      return yield* Effect.gen(function* () {
        yield* into(script, options)
        return (yield* Effect.scoped(Image.open("/image"))).notes
      }).pipe(Effect.provide(disk.layer), Effect.provide(network.layer))
    })
  const bySections = { start: [Sender.start(false)], records: [], end: [Sender.ramEnd(false)] }

  it.effect("stands in the notes of the image", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* notesOf(Sender.honest(2)), { marks: "each-round" })
      const old = { ...Sender.honest(2), main: Sender.main(bySections) }
      assert.deepStrictEqual(yield* notesOf(old, { notes: { uuid: NIL } }), { marks: "each-section", uuid: NIL })
    })
  )

  it.effect("is not known without channels", () =>
    Effect.gen(function* () {
      const script = { main: Sender.main({ start: [Sender.start(false)], end: [Sender.ramEnd(false)] }), lanes: [] }
      assert.deepStrictEqual(yield* notesOf(script), {})
    })
  )
})

describe("what stands at the target", () => {
  const old = new Uint8Array(5000).fill(0x5a)

  itWorld("is there until the new image is complete", function* ({ disk }) {
    disk.write("/image", old)
    yield* Effect.flip(into({ ...Sender.honest(2), main: [Sender.head(), Sender.start(), "close"] }))
    assert.deepStrictEqual(disk.read("/image"), old)
    assert.deepStrictEqual(disk.files(), ["/image"])
    yield* into(Sender.honest(2))
    assert.notDeepEqual(disk.read("/image"), old)
  })

  itWorld("is not touched in place before a sender has announced its blocks", function* ({ disk }) {
    disk.write("/image", old)
    const target = { path: "/image", offset: 4096 }
    yield* Effect.flip(into({ ...Sender.honest(1), main: [Sender.head(), "close"] }, { target }))
    assert.deepStrictEqual(disk.read("/image"), old)
    yield* Effect.flip(into({ ...Sender.honest(1), main: [Sender.head(), Sender.start(), "close"] }, { target }))
    assert.deepStrictEqual(disk.read("/image"), old.subarray(0, 4096))
    yield* into(Sender.honest(1), { target })
    const image = yield* Effect.scoped(Image.open(target))
    assert.deepStrictEqual(image.findings, [])
  })

  itWorld("is refused before anybody is listened to", function* () {
    const error = yield* Effect.flip(
      receive({ listen, target: "/no/such/directory/image", onListening: () => Effect.die("too early") })
    )
    assert.strictEqual(error._tag, "FileNotFoundError")
  })

  it.effect("is looked at before a sender may connect, also where it is written in place", () =>
    Effect.gen(function* () {
      const network = yield* VirtualNetwork.make()
      const refusal = (disk: MemoryDisk.MemoryDisk, options: Partial<ReceiveOptions>) =>
        receive({ listen, target: "/image", onListening: () => Effect.die("too early"), ...options }).pipe(
          Effect.flip,
          Effect.map((error) => error._tag),
          Effect.provide(disk.layer),
          Effect.provide(network.layer)
        )
      const disk = MemoryDisk.make({ directIo: false })
      disk.write("/old", old)
      disk.write("/protected", old, { mode: 0o400 })
      disk.device("/dev/disk", 65_536)
      disk.device("/dev/protected", 65_536)
      disk.chmod("/dev/protected", 0o400)
      disk.special("/dev/null", "character device")
      disk.special("/fifo", "fifo")
      const before = disk.files()
      const cases: ReadonlyArray<readonly [string, Partial<ReceiveOptions>]> = [
        ["FilePermissionError", { target: { path: "/protected", offset: 0 } }],
        ["FilePermissionError", { target: "/dev/protected" }],
        ["NotSeekableError", { target: "/dev/null" }],
        ["NotSeekableError", { target: { path: "/dev/null", offset: 4096 } }],
        ["NotSeekableError", { target: "/fifo" }],
        ["NotSeekableError", { target: "/dev" }],
        ["FileIoError", { directIo: true }],
        ["FileIoError", { directIo: true, target: "/dev/disk" }],
        ["FileIoError", { directIo: true, target: { path: "/old", offset: 512 } }]
      ]
      for (const [tag, options] of cases)
        assert.strictEqual(yield* refusal(disk, options), tag, JSON.stringify(options))
      assert.deepStrictEqual([disk.files(), disk.read("/old"), disk.openFiles()], [before, old, []])
    })
  )

  it.effect("stays when the disk is full, which the sender hears", () =>
    Effect.gen(function* () {
      const disk = MemoryDisk.make({ capacity: 3 * 4096 })
      const network = yield* VirtualNetwork.make()
      const { exit, heard } = yield* whileTimePasses(receiving(talking("pc-q35-10.0"))).pipe(
        Effect.provide(disk.layer),
        Effect.provide(network.layer)
      )
      assert.strictEqual((yield* Effect.flip(exit))._tag, "NoSpaceError")
      assert.isTrue(heard.subarray(-8).equals(shut(1)))
      assert.deepStrictEqual([disk.files(), disk.openFiles(), network.openEnds()], [[], [], 0])
    })
  )

  it.effect("is as it was, whichever call to the disk fails", () =>
    Effect.gen(function* () {
      const attempt = Effect.fnUntraced(function* (plan: FaultyFiles.Plan) {
        const disk = MemoryDisk.make()
        disk.write("/image", old)
        const faulty = FaultyFiles.make(plan, disk.calls)
        const network = yield* VirtualNetwork.make()
        const exit = yield* whileTimePasses(Effect.exit(into(Sender.honest(2)))).pipe(
          Effect.provide(faulty.layer),
          Effect.provide(network.layer)
        )
        assert.deepStrictEqual([network.openEnds(), disk.openFiles()], [0, []])
        return { disk, exit, calls: faulty.log().length }
      })
      const calm = yield* attempt(FaultyFiles.none)
      yield* calm.exit
      assert.isAbove(calm.calls, 15)
      const whole = calm.disk.read("/image")!
      for (let call = 0; call < calm.calls; call++) {
        const { disk, exit } = yield* attempt(FaultyFiles.at(call, FaultyFiles.Fault.Fail({ code: "EIO" })))
        const content = disk.read("/image")!
        const isNew = Buffer.compare(content, whole) === 0
        if (exit._tag === "Success") assert.isTrue(isNew)
        else assert.strictEqual((yield* Effect.flip(exit))._tag, isNew ? "UnconfirmedError" : "FileIoError")
        assert.isTrue(isNew || Buffer.compare(content, old) === 0)
      }
    })
  )
})

describe("receive into blocks", () => {
  itWorld("fills the blocks that it is given, and gives everything else", function* () {
    const memory = Buffer.alloc(Sender.BLOCK.usedLength, 0xa5)
    const block = yield* MemoryPages.make({ idstr: "m", memory })
    const { value: machineState, ...summary } = yield* intoBlocks(Sender.honest(3), [block])
    assert.deepStrictEqual(
      Array.from({ length: Sender.PAGES }, (_, page) => memory[page * Sender.PAGE]!),
      pages({ 0: 0x40, 1: 0x41, 2: 0x42 })
    )
    assert.deepInclude(summary, { bytesTotal: 65536, normalPages: 3 })
    assert.deepStrictEqual(yield* ByteSource.read(machineState.deviceState), Sender.state)
    assert.strictEqual(machineState.configuration?.machine, "pc-i440fx-10.0")
  })

  itWorld("other blocks than announced: block-list-mismatch, and nothing is touched", function* () {
    const memory = Buffer.alloc(4096, 0xa5)
    const blocks = [yield* MemoryPages.make({ idstr: "m", memory })]
    const error = yield* Effect.flip(intoBlocks(Sender.honest(1), blocks))
    assert(error._tag === "ProtocolError")
    assert.strictEqual(error.findings[0].code, "block-list-mismatch")
    assert.include(error.message, `expected "m" of 4096 bytes in pages of 4096, found "m" of 65536 bytes`)
    assert.isTrue(memory.equals(Buffer.alloc(4096, 0xa5)))
  })

  itWorld("what makes the blocks may refuse to", function* () {
    const error = yield* Effect.flip(
      intoBlocks<string>(Sender.honest(1), ([block]) => Effect.fail(`no room for ${block!.idstr}`))
    )
    assert.strictEqual(error, "no room for m")
  })

  const device = Buffer.concat([
    DeviceStatePacket.encode({ idstr: "vfio", instanceId: 3, payloadLength: 5 }),
    Buffer.from("state")
  ])
  const fresh = () =>
    Effect.orDie(
      Effect.map(MemoryPages.make({ idstr: "m", memory: new Uint8Array(65536), fresh: true }), (block) => [block])
    )

  itWorld("hands on what devices send by themselves", function* () {
    const packets: Array<string> = []
    yield* intoBlocks(
      { main: Sender.main(), lanes: [Sender.lane(0), Sender.lane(1, [device, Sender.packet(1, 1)])] },
      fresh,
      {
        onDevicePacket: ({ channel, idstr, instanceId, payload }: DevicePacket) =>
          Effect.sync(() => void packets.push(`${channel} ${idstr} ${instanceId} ${Buffer.from(payload).toString()}`))
      }
    )
    assert.deepStrictEqual(packets, ["1 vfio 3 state"])
  })

  for (const [name, bytes] of Object.entries({
    "device-packet-flags-wrong": Sender.patched(device, 11, 0x41),
    "device-packet-name-invalid": Sender.patched(device, 12, ...Array<number>(256).fill(0x41)),
    "device-packet-empty": Sender.patched(device, 275, 0),
    "device-packet-payload-exceeded": Sender.patched(device, 272, 0xff)
  })) {
    itWorld(`checks what devices send: ${name}`, function* () {
      const script = { main: Sender.main(), lanes: [Sender.lane(0, [bytes])] }
      const error = yield* Effect.flip(intoBlocks(script, fresh, { onDevicePacket: () => Effect.void }))
      assert.strictEqual(error._tag === "ProtocolError" ? error.findings[0].code : error._tag, name)
    })
  }

  itWorld("a sender that sends its device state byte by byte causes no more writes than others", function* ({ disk }) {
    const writesOf = Effect.fnUntraced(function* (state: Sender.Steps) {
      const files = FaultyFiles.make(FaultyFiles.none, disk.calls)
      const script = { ...Sender.honest(1), main: Sender.main({ state }) }
      yield* Effect.provide(into(script), files.layer)
      return files.log().filter(({ name }) => name === "write").length
    })
    assert.isAbove(Sender.state.length, 20)
    const whole = yield* writesOf([Sender.state])
    assert.isAbove(whole, 0)
    assert.isAtMost(yield* writesOf([{ drip: Sender.state, millis: 1 }]), whole + 2)
  })

  itWorld("holds no more device state in memory than it may", function* () {
    const script = { ...Sender.honest(1), main: Sender.main({ state: [{ forever: new Uint8Array(4096) }] }) }
    const error = yield* Effect.flip(intoBlocks(script, fresh, { limits: { maxHeld: 20_000 } }))
    assert(error._tag === "ProtocolError")
    const { code, offset } = error.findings[0]
    assert.strictEqual(code, "device-state-exceeded")
    assert.isAbove(offset, 20_000, "where it is on the connection")
  })

  itWorld("changes of pages need blocks that can be read", function* () {
    const writer = {
      fresh: true,
      view: undefined,
      write: () => Effect.void,
      zero: () => Effect.void,
      sync: Effect.void
    }
    const records = RamRecords.make().changes(Sender.BLOCK, [{ offset: 0, bytes: Uint8Array.of(0, 1, 7) }])
    const script = { main: Sender.main({ records: [Sender.part(...records)] }), lanes: [] }
    const error = yield* Effect.flip(intoBlocks(script, [{ ...Sender.BLOCK, writer }]))
    assert.strictEqual(error._tag === "ProtocolError" ? error.findings[0].code : error._tag, "record-unexpected")
  })
})

describe("requests that cannot be met", () => {
  const refused = (options: Partial<ReceiveOptions>) =>
    Effect.flip(receive({ listen, target: "/image", onListening: () => Effect.die("too early"), ...options })).pipe(
      Effect.provide(MemoryDisk.make().layer)
    )

  it.effect("are refused before anything is opened", () =>
    Effect.gen(function* () {
      const error = yield* refused({ channels: 0, compression: "zstd", uuid: new Uint8Array(15), pageSize: 5000 })
      assert.strictEqual(
        error.message,
        "cannot receive: zstd needs multifd, and channels is 0; use one channel or more, or no compression. Also: " +
          "pageSize is 5000; use a power of two from 1024 to 1048576 bytes. Also: uuid is 15 bytes long; use 16 bytes"
      )
      assert.strictEqual((yield* refused({ channels: 256 }))._tag, "PipelineOptionsError")
      assert.strictEqual((yield* refused({ coalescePages: -1 }))._tag, "PipelineOptionsError")
      assert.strictEqual((yield* refused({ limits: { maxRam: 0 } }))._tag, "LimitsError")
    })
  )

  itWorld("an address that is in use", function* () {
    const ready = yield* Deferred.make<void>()
    const first = yield* Effect.forkChild(
      receive({ listen, target: "/a", onListening: () => Effect.asVoid(Deferred.succeed(ready, undefined)) })
    )
    yield* Deferred.await(ready)
    const error = yield* Effect.flip(receive({ listen, target: "/b" }))
    assert.strictEqual(error._tag, "ListenError")
    yield* Fiber.interrupt(first)
    yield* into(Sender.honest(1))
  })
})
