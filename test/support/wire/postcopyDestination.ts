/**
 * A destination of a postcopy migration in memory, as strict as a real one: it says what a source did wrong.
 *
 * It loads the stream, and from RUN on a guest touches pages in any order. A page that comes twice, a present page that never
 * comes, a range of the preamble that is missing, a channel that is closed early: each is a violation.
 */
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import type * as Scope from "effect/Scope"
import type * as Finding from "../../../src/format/Finding.ts"
import * as PostcopyCommand from "../../../src/format/postcopy/PostcopyCommand.ts"
import * as PostcopyRecords from "../../../src/format/postcopy/PostcopyRecords.ts"
import * as ReceivedBitmap from "../../../src/format/postcopy/ReceivedBitmap.ts"
import * as MigrationStream from "../../../src/format/stream/MigrationStream.ts"
import * as ReturnPath from "../../../src/format/stream/ReturnPath.ts"
import type { Connection } from "../../../src/io/sockets/Connection.ts"
import * as Listener from "../../../src/io/sockets/Listener.ts"
import type { SocketAddress } from "../../../src/io/sockets/SocketAddress.ts"
import * as PageBitmap from "../../../src/ram/PageBitmap.ts"
import type { Shape } from "../../../src/ram/RamBlock.ts"

/** The memory of a guest, which outlives its connections. */
export interface Memory {
  readonly blocks: ReadonlyArray<Shape>
  readonly bytes: ReadonlyMap<string, Uint8Array>
  readonly received: ReadonlyMap<string, PageBitmap.PageBitmap>
  /** Everything that a source must not do. */
  readonly violations: Array<string>
  /** Pages that were asked for and have not come. */
  readonly waiting: Set<string>
  hasRun: boolean
  isComplete: boolean
}

export const makeMemory = (blocks: ReadonlyArray<Shape>): Memory => ({
  blocks,
  bytes: new Map(blocks.map(({ idstr, usedLength }) => [idstr, new Uint8Array(usedLength)])),
  received: new Map(blocks.map(({ idstr, pageSize, usedLength }) => [idstr, PageBitmap.make(usedLength / pageSize)])),
  violations: [],
  waiting: new Set(),
  hasRun: false,
  isComplete: false
})

/** Bytes of a connection that were read, from its beginning. */
class Inlet {
  #buffer = new Uint8Array(0)
  bytes: Uint8Array = this.#buffer
  at = 0
  /** The block of the last record: it outlives a section. */
  last: string | undefined
  readonly connection: Connection
  constructor(connection: Connection) {
    this.connection = connection
  }
  more(): Effect.Effect<void, unknown> {
    if (this.#buffer.length - this.bytes.length < 65_536) {
      const larger = new Uint8Array(2 * this.#buffer.length + 131_072)
      larger.set(this.bytes)
      this.#buffer = larger
    }
    return Effect.flatMap(this.connection.readSome(this.#buffer.subarray(this.bytes.length)), (count) => {
      if (count === 0) return Effect.fail("ended")
      this.bytes = this.#buffer.subarray(0, this.bytes.length + count)
      return Effect.void
    })
  }
  /** Decodes a value, as soon as all of it has arrived. */
  take<A>(
    decode: (
      bytes: Uint8Array,
      at: number
    ) => Result.Result<{ readonly value: A; readonly end: number }, Finding.Finding>
  ): Effect.Effect<A, unknown> {
    return Effect.suspend(() => {
      if (this.bytes.length === this.at) return Effect.andThen(this.more(), this.take(decode))
      const decoded = decode(this.bytes, this.at)
      if (Result.isSuccess(decoded)) {
        this.at = decoded.success.end
        return Effect.succeed(decoded.success.value)
      }
      return decoded.failure.code === "stream-cut" || this.bytes.length < 8
        ? Effect.andThen(this.more(), this.take(decode))
        : Effect.fail(decoded.failure)
    })
  }
  raw(length: number): Effect.Effect<Uint8Array, unknown> {
    return Effect.suspend((): Effect.Effect<Uint8Array, unknown> => {
      if (this.bytes.length < this.at + length) return Effect.andThen(this.more(), this.raw(length))
      return Effect.succeed(this.bytes.subarray(this.at, (this.at += length)))
    })
  }
  get next(): Effect.Effect<number, unknown> {
    return Effect.map(this.raw(1), (bytes) => {
      this.at--
      return bytes[0]!
    })
  }
}

export interface Options {
  readonly address: SocketAddress
  readonly memory: Memory
  /** Pages that must come. */
  readonly present: ReadonlyMap<string, PageBitmap.PageBitmap>
  readonly preempt: boolean
  readonly random: () => number
  /** Pages that the guest touches. */
  readonly touches: number
  /** What it says as soon as the guest runs, instead of touching pages. */
  readonly says?: ReadonlyArray<ReturnPath.Message> | undefined
}

const { SectionType } = MigrationStream
const keyOf = (idstr: string, page: number) => `${idstr} ${page}`

const place = (memory: Memory, record: PostcopyRecords.PostcopyRecord, isStrict: boolean): void => {
  if (record._tag === "EndOfSection") return
  const { idstr, offset } = record
  const page = offset / 4096
  const received = memory.received.get(idstr)!
  if (isStrict && received.has(page)) memory.violations.push(`page ${keyOf(idstr, page)} came twice`)
  received.setRange(page, 1)
  memory.waiting.delete(keyOf(idstr, page))
  if (record._tag === "Page") memory.bytes.get(idstr)!.set(record.bytes, offset)
}

const recordsOf = Effect.fnUntraced(function* (inlet: Inlet, memory: Memory, urgent: boolean, isStrict: () => boolean) {
  for (;;) {
    const record = yield* inlet.take((bytes, at) =>
      PostcopyRecords.decode(bytes, { blocks: memory.blocks, last: inlet.last, urgent }, at)
    )
    if (record._tag === "EndOfSection") return
    inlet.last = record.idstr
    place(memory, record, isStrict())
  }
})

/** Says one thing after the other, whoever says it. */
const makeMouth = (connection: Connection) => {
  const queue: Array<Uint8Array> = []
  let busy = false
  return (bytes: Uint8Array): Effect.Effect<void, unknown> =>
    Effect.suspend(() => {
      queue.push(bytes)
      if (busy) return Effect.void
      busy = true
      const drain: Effect.Effect<void, unknown> = Effect.suspend(() => {
        const all = queue.splice(0)
        if (all.length === 0) {
          busy = false
          return Effect.void
        }
        return Effect.andThen(connection.write(all), drain)
      })
      return drain
    })
}

/** The guest touches pages: a missing one is asked for. Now and then one is asked for again. */
const guest = Effect.fnUntraced(function* (
  options: Options,
  ask: (idstr: string, page: number) => Effect.Effect<void, unknown>
) {
  const { memory, random, touches } = options
  for (const key of memory.waiting) {
    const at = key.lastIndexOf(" ")
    yield* ask(key.slice(0, at), Number(key.slice(at + 1)))
  }
  for (let i = 0; i < touches && !memory.isComplete; i++) {
    const block = memory.blocks[Math.floor(random() * memory.blocks.length)]!
    const page = Math.floor((random() * block.usedLength) / 4096)
    const key = keyOf(block.idstr, page)
    const isMissing = !memory.received.get(block.idstr)!.has(page)
    if (isMissing || random() < 0.1) {
      if (isMissing) memory.waiting.add(key)
      yield* ask(block.idstr, page)
    }
    yield* Effect.sleep(random() * 0.3)
  }
})

const complete = (memory: Memory, present: Options["present"]): void => {
  for (const [idstr, bitmap] of present) {
    const received = memory.received.get(idstr)!
    for (let page = bitmap.nextSet(0); page < bitmap.pages; page = bitmap.nextSet(page + 1)) {
      if (!received.has(page)) memory.violations.push(`page ${keyOf(idstr, page)} never came`)
      if (page + 1 === bitmap.pages) break
    }
  }
  memory.isComplete = true
}

/** Pages behind the package, up to the end of the stream. */
const loadPages = Effect.fnUntraced(function* (
  options: Options,
  inlet: Inlet,
  mouth: (bytes: Uint8Array) => Effect.Effect<void, unknown>
) {
  for (;;) {
    const type = yield* inlet.next
    if (type === SectionType.endOfStream) return
    if (type === SectionType.command) {
      const command = yield* inlet.take(PostcopyCommand.decode)
      if (command._tag === "Ping") yield* mouth(ReturnPath.encode({ _tag: "Pong", value: command.value }))
      else options.memory.violations.push(`${command._tag} behind the package`)
      continue
    }
    const { sectionId } = yield* inlet.take(MigrationStream.decodeSectionHeader)
    yield* recordsOf(inlet, options.memory, false, () => true)
    yield* inlet.take((bytes, at) => MigrationStream.decodeFooter(bytes, sectionId, at))
  }
})

/** Serves the guest over a connection until everything is there, or it breaks. */
const run = Effect.fnUntraced(function* (
  options: Options,
  inlet: Inlet,
  mouth: (bytes: Uint8Array) => Effect.Effect<void, unknown>,
  urgent: Connection | undefined
) {
  const { memory, present } = options
  let asked: string | undefined
  const ask = (idstr: string, page: number) =>
    Effect.suspend(() => {
      const range = { offset: page * 4096, length: 4096 }
      const isSame = idstr === asked
      asked = idstr
      return mouth(
        ReturnPath.encode(
          isSame ? { _tag: "RequestPages", ...range } : { _tag: "RequestPagesOfBlock", idstr, ...range }
        )
      )
    })
  memory.hasRun = true
  let urgentEnded = false
  const onUrgent =
    urgent === undefined
      ? Effect.void
      : recordsOf(new Inlet(urgent), memory, true, () => true).pipe(
          Effect.catch(() => Effect.sync(() => void (urgentEnded = true)))
        )
  const { says } = options
  const touching =
    says === undefined
      ? guest(options, ask)
      : mouth(new Uint8Array(Buffer.concat(says.map((message) => ReturnPath.encode(message)))))
  const others = Effect.all([Effect.ignore(touching), onUrgent], { concurrency: 2, discard: true })
  yield* Effect.raceFirst(loadPages(options, inlet, mouth), Effect.andThen(others, Effect.never))
  if (urgentEnded) memory.violations.push("the channel for urgent pages was closed early")
  complete(memory, present)
  yield* mouth(ReturnPath.encode({ _tag: "Shut", value: 0 }))
  yield* Effect.ignore(Effect.andThen(inlet.more(), Effect.never))
})

const startOf = Effect.fnUntraced(function* (inlet: Inlet, memory: Memory) {
  const header = yield* inlet.take(MigrationStream.decodeSectionHeader)
  yield* inlet.raw(8)
  for (const { idstr, usedLength } of memory.blocks) {
    const [length] = yield* inlet.raw(1)
    const name = Buffer.from(yield* inlet.raw(length!)).toString()
    const bytes = Number(Buffer.from(yield* inlet.raw(8)).readBigUInt64BE())
    if (name !== idstr || bytes !== usedLength) memory.violations.push(`block ${name} of ${bytes} bytes`)
  }
  yield* inlet.raw(8)
  yield* inlet.take((bytes, at) => MigrationStream.decodeFooter(bytes, header.sectionId, at))
})

/** Loads a machine from its header on. */
const load = Effect.fnUntraced(function* (options: Options, listener: Listener.Listener, main: Connection) {
  const { memory, preempt } = options
  const inlet = new Inlet(main)
  const mouth = makeMouth(main)
  const seen: Array<string> = []
  yield* inlet.take(MigrationStream.decodeFileHeader)
  yield* inlet.take(MigrationStream.decodeConfiguration)
  let urgent: Connection | undefined
  for (;;) {
    const type = yield* inlet.next
    if (type === SectionType.start) yield* startOf(inlet, memory)
    else if (type === SectionType.command) {
      const command = yield* inlet.take(PostcopyCommand.decode)
      seen.push(command._tag)
      if (command._tag === "Ping") yield* mouth(ReturnPath.encode({ _tag: "Pong", value: command.value }))
      if (command._tag === "Discard") {
        const block = memory.blocks.find(({ idstr }) => idstr === command.idstr)
        for (const { length, offset } of command.ranges) {
          if (block === undefined || offset + length > block.usedLength) memory.violations.push("discard past the end")
        }
      }
      if (command._tag === "Packaged") {
        const bytes = (yield* inlet.raw(command.length)).slice()
        const listen = Result.getOrThrow(PostcopyCommand.decode(bytes)).value
        const end = Result.getOrThrow(PostcopyCommand.decode(bytes, bytes.length - 5)).value
        if (listen._tag !== "Listen" || end._tag !== "Run") memory.violations.push("a package without LISTEN or RUN")
        break
      }
    } else {
      const { sectionId } = yield* inlet.take(MigrationStream.decodeSectionHeader)
      yield* recordsOf(inlet, memory, false, () => true)
      yield* inlet.take((bytes, at) => MigrationStream.decodeFooter(bytes, sectionId, at))
    }
  }
  if (seen.filter((tag) => tag === "Advise").length !== 1) memory.violations.push("not one ADVISE")
  if (!seen.includes("Discard")) memory.violations.push("no DISCARD")
  if (!seen.includes("OpenReturnPath")) memory.violations.push("no return path")
  if (preempt) urgent = yield* listener.accept
  yield* mouth(ReturnPath.encode({ _tag: "Pong", value: 3 }))
  yield* run(options, inlet, mouth, urgent)
})

/** Goes on over another connection. */
const resume = Effect.fnUntraced(function* (options: Options, listener: Listener.Listener, main: Connection) {
  const { memory, preempt } = options
  const inlet = new Inlet(main)
  const mouth = makeMouth(main)
  for (;;) {
    const command = yield* inlet.take(PostcopyCommand.decode)
    if (command._tag === "Resume") break
    if (command._tag !== "RequestBitmap") {
      memory.violations.push(`${command._tag} in a recovery`)
      continue
    }
    const { idstr } = command
    const answer = ReturnPath.encode({ _tag: "ReceivedBitmap", idstr })
    yield* mouth(new Uint8Array(Buffer.concat([answer, ReceivedBitmap.encode(memory.received.get(idstr)!)])))
  }
  yield* mouth(ReturnPath.encode({ _tag: "ResumeAck", value: 1 }))
  const urgent = preempt ? yield* listener.accept : undefined
  yield* run(options, inlet, mouth, urgent)
})

/** Waits for a source and serves its guest until the end of the connection, whatever that is. */
export const once = (options: Options): Effect.Effect<void, unknown, Scope.Scope> =>
  Effect.gen(function* () {
    const listener = yield* Listener.make({ address: options.address })
    const main = yield* listener.accept
    yield* (options.memory.hasRun ? resume : load)(options, listener, main)
  }).pipe(Effect.scoped)
