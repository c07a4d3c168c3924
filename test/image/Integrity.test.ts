/**
 * Damage of every kind to sealed images: all of it has to be found, and none of it handed on.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import { Buffer } from "node:buffer"
import * as ByteSource from "../../src/snapshot/ByteSource.ts"
import * as FileCalls from "../../src/io/files/FileCalls.ts"
import type * as ImageNotes from "../../src/format/seal/ImageNotes.ts"
import * as ImageSeal from "../../src/format/seal/ImageSeal.ts"
import * as Image from "../../src/image/Image.ts"
import * as Integrity from "../../src/image/Integrity.ts"
import * as MachineState from "../../src/snapshot/MachineState.ts"
import * as MemoryPages from "../../src/ram/MemoryPages.ts"
import * as BlocksTarget from "../../src/snapshot/BlocksTarget.ts"
import * as Migration from "../../src/migration/Migration.ts"
import * as PositionalFile from "../../src/io/files/PositionalFile.ts"
import * as Recover from "../../src/migration/Recover.ts"
import * as Seal from "../../src/image/Seal.ts"
import * as SealMark from "../../src/format/seal/SealMark.ts"
import * as SocketAddress from "../../src/io/sockets/SocketAddress.ts"
import * as Verify from "../../src/image/Verify.ts"
import { readImage } from "../../src/image/internal/rawImage.ts"
import * as MemoryDisk from "../../src/testing/MemoryDisk.ts"
import * as RamArbitraries from "../../src/testing/RamArbitraries.ts"
import * as VirtualNetwork from "../../src/testing/VirtualNetwork.ts"

const { convert, receive, restore, save, send } = Migration.make

/** In CI; more of them on demand. */
const FACTOR = Number(process.env["INTEGRITY_FACTOR"] ?? 1)

const PAGE = 4096
const KIB = 1024
const EXTENT = 64 * KIB
const key = new Uint8Array(32).fill(3)

const noted: ImageNotes.ImageNotes = { uuid: "2b6f0cc9-04d1-4b5c-9e0c-0123456789ab", marks: "each-round" }

/** Numbers that look random and come again with the same seed. */
const numbers = (seed: number) => {
  let state = seed
  return (below: number): number => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return Math.floor((state / 2 ** 32) * below)
  }
}

const ramOf = (seed: number): Uint8Array =>
  RamArbitraries.contents({ idstr: "pc.ram", pageSize: PAGE, pages: 96, pattern: "alternating", seed }).fill(
    0,
    40 * PAGE,
    60 * PAGE
  )

const saved = Effect.fnUntraced(function* (
  seed: number,
  seal: Integrity.SealOptions | false,
  notes: ImageNotes.ImageNotes = noted
) {
  const disk = MemoryDisk.make()
  const memory = ramOf(seed)
  const blocks = [
    yield* MemoryPages.make({ idstr: "pc.ram", memory }),
    yield* MemoryPages.make({ idstr: "pc.bios", memory: new Uint8Array(8 * PAGE).fill(seed) })
  ]
  const machineState = yield* MachineState.fromSections({
    machine: "emulator-1",
    sections: [{ name: "cpu", instanceId: 0, version: 1, data: new Uint8Array(600).fill(seed) }]
  })
  yield* Effect.provide(save({ target: "/vm.img", blocks, machineState, seal, notes, channels: 2 }), disk.layer)
  return { disk, memory, image: disk.read("/vm.img")! }
})

/** Every byte that means anything: the rest is padding, and pages whose bit is clear. */
const meaningful = Effect.fnUntraced(function* (disk: MemoryDisk.MemoryDisk, key?: Uint8Array | undefined) {
  const { fileSize, seal, stream } = yield* Effect.gen(function* () {
    const file = yield* PositionalFile.open("/vm.img", { access: "read" })
    return yield* readImage(file, 0, { fileSize: yield* file.size, key })
  }).pipe(Effect.scoped, Effect.provide(disk.layer))
  const { blocks } = stream!
  const image = yield* Effect.provide(Effect.scoped(Image.open("/vm.img", { key })), disk.layer)
  const pages = image.blocks.flatMap(({ pageSize, pages, pagesOffset, reader }) =>
    Array.from({ length: pages }, (_, page) => page)
      .filter((page) => reader.present.has(page))
      .map((page) => ({ position: pagesOffset + page * pageSize, length: pageSize }))
  )
  const position = ImageSeal.sealPosition(seal!.end)
  return {
    rest: ImageSeal.restOf({ start: 0, end: seal!.end, blocks }),
    pages,
    seal: [
      { position: SealMark.position(blocks)!, length: SealMark.LENGTH },
      { position, length: fileSize - position }
    ]
  }
})

/** A disk with one file that is read and nothing else: ten thousand of them are made. */
const only = (bytes: Uint8Array): FileCalls.Calls => {
  const stat = { size: bytes.length, mode: 0o100600, uid: 0, gid: 0, dev: 1, ino: 1, rdev: 0, mtimeMs: 0, blocks: 0 }
  return {
    ...FileCalls.node,
    open: (_path, _flags, _mode, done) => queueMicrotask(() => done(null, 3)),
    close: (_fd, done) => queueMicrotask(() => done(null)),
    stat: (_path, done) => queueMicrotask(() => done(null, stat)),
    fstat: (_fd, done) => queueMicrotask(() => done(null, stat)),
    read: (_fd, target, offset, length, position, done) => {
      const found = bytes.subarray(position, position + length)
      target.set(found, offset)
      queueMicrotask(() => done(null, found.length))
    }
  }
}

const verifyBytes = (bytes: Uint8Array, key?: Uint8Array | undefined) =>
  Verify.run("/damaged.img", { channels: 1, key }).pipe(
    Effect.scoped,
    Effect.provideService(FileCalls.FileCalls, only(bytes))
  )

/** What is done to an image: other bytes in some places, or an earlier end. */
interface Case {
  readonly name: string
  readonly changes?: ReadonlyArray<PositionalFile.Extent>
  readonly length?: number
}

/**
 * Fails unless every one of the changed images is found to be damaged; succeeds with how many there were. One copy of the
 * image is changed and changed back: ten thousand copies would take most of the time.
 */
const allDetected = Effect.fnUntraced(function* (
  image: Uint8Array,
  cases: Iterable<Case>,
  key?: Uint8Array | undefined
) {
  const bytes = image.slice()
  let count = 0
  for (const { changes = [], length = image.length, name } of cases) {
    for (const change of changes) bytes.set(change.bytes, change.position)
    const isOther = ({ bytes: { length }, position }: PositionalFile.Extent): boolean =>
      Buffer.compare(bytes.subarray(position, position + length), image.subarray(position, position + length)) !== 0
    if (length < image.length || changes.some(isOther)) {
      const { error } = yield* verifyBytes(bytes.subarray(0, length), key)
      assert.isDefined(error, name)
      count++
    }
    for (const {
      bytes: { length },
      position
    } of changes)
      bytes.set(image.subarray(position, position + length), position)
  }
  return count
})

/** Only a keyed one is compared with the key, which the others would be refused for. */
const setup = Effect.fnUntraced(function* (seal: Integrity.SealOptions = {}) {
  const subject = yield* saved(1, { extentSize: EXTENT, ...seal })
  return { ...subject, parts: yield* meaningful(subject.disk, seal.key) }
})

describe("damage to a sealed image is found:", () => {
  for (const kind of ["rest", "pages", "seal"] as const) {
    it.effect(
      `2,200 flipped bits in ${kind}`,
      () =>
        Effect.gen(function* () {
          const { image, parts } = yield* setup()
          const random = numbers(kind.length)
          const flips = function* (): Generator<Case> {
            for (let i = 0; i < 2200 * FACTOR; i++) {
              const { length, position } = parts[kind][random(parts[kind].length)]!
              const [at, bit] = [position + random(length), random(8)]
              const bytes = Uint8Array.of(image[at]! ^ (1 << bit))
              yield { name: `bit ${bit} of byte ${at}`, changes: [{ position: at, bytes }] }
            }
          }
          assert.strictEqual(yield* allDetected(image, flips()), 2200 * FACTOR)
        }),
      120_000
    )
  }

  it.effect(
    "truncations at every 4 KiB and elsewhere",
    () =>
      Effect.gen(function* () {
        const { image } = yield* setup()
        const random = numbers(5)
        const cuts = function* (): Generator<Case> {
          for (let at = 0; at < image.length; at += PAGE) yield { name: `cut at ${at}`, length: at }
          for (let i = 0; i < 400 * FACTOR; i++) {
            const at = random(image.length)
            yield { name: `cut at ${at}`, length: at }
          }
        }
        assert.isAtLeast(yield* allDetected(image, cuts()), 700)
      }),
    120_000
  )

  it.effect(
    "1,000 swapped pages, 300 swapped extents",
    () =>
      Effect.gen(function* () {
        const { image, parts } = yield* setup()
        const random = numbers(6)
        const start = parts.pages[0]!.position
        const swapped = (a: number, b: number, length: number): Case => ({
          name: `${length} bytes at ${a} and ${b}`,
          changes: [
            { position: b, bytes: image.subarray(a, a + length) },
            { position: a, bytes: image.subarray(b, b + length) }
          ]
        })
        const swaps = function* (): Generator<Case> {
          const pages = parts.pages.filter(({ position }) => position < start + 96 * PAGE)
          for (let i = 0; i < 1000 * FACTOR; i++) {
            const a = pages[random(pages.length)]!
            yield swapped(a.position, pages.filter((page) => page !== a)[random(pages.length - 1)]!.position, PAGE)
          }
          for (let i = 0; i < 300 * FACTOR; i++) {
            const first = random(6)
            yield swapped(start + first * EXTENT, start + ((first + 1 + random(5)) % 6) * EXTENT, EXTENT)
          }
        }
        assert.isAtLeast(yield* allDetected(image, swaps()), 1250 * FACTOR)
      }),
    120_000
  )

  it.effect(
    "1,700 parts of another image of the same machine and the same key",
    () =>
      Effect.gen(function* () {
        const { image, parts } = yield* setup({ key })
        const other = yield* saved(2, { extentSize: EXTENT, key })
        assert.strictEqual(other.image.length, image.length)
        const all = [...parts.pages, ...parts.rest, ...parts.seal]
        const random = numbers(7)
        const splices = function* (): Generator<Case> {
          for (let i = 0; i < 1700 * FACTOR; i++) {
            const changes = Array.from({ length: 1 + random(3) }, () => {
              const { length, position } = all[random(all.length)]!
              return { position, bytes: other.image.subarray(position, position + length) }
            })
            yield { name: `splice ${i}`, changes }
          }
        }
        assert.isAtLeast(yield* allDetected(image, splices(), key), 1500 * FACTOR)
      }),
    120_000
  )

  it.effect("a seal that ends early is called that", () =>
    Effect.gen(function* () {
      const { image } = yield* setup()
      const { error, inspection } = yield* verifyBytes(image.subarray(0, image.length - 1))
      assert.strictEqual(error?._tag, "TruncatedImageError")
      assert.deepStrictEqual(
        inspection.findings.map(({ code }) => code),
        ["seal-cut"]
      )
    })
  )

  it.effect("with each algorithm, and said where it is", () =>
    Effect.gen(function* () {
      for (const algorithm of ["crc32", "sha256"] as const) {
        const { disk, image } = yield* saved(1, { algorithm, extentSize: EXTENT })
        const sound = yield* Effect.provide(Effect.scoped(Verify.run("/vm.img")), disk.layer)
        assert.isUndefined(sound.error)
        assert.strictEqual(sound.inspection.seal!.algorithm, algorithm)
        const [block] = sound.inspection.blocks
        const page = block!.reader.present.nextSet(17)
        const bytes = image.slice()
        bytes[block!.pagesOffset + page * PAGE + 9]! ^= 1
        disk.write("/damaged.img", bytes)
        const { damage, error } = yield* Effect.provide(Effect.scoped(Verify.run("/damaged.img")), disk.layer)
        assert.instanceOf(error, Integrity.IntegrityError)
        assert.strictEqual(damage.length, 1)
        const position = block!.pagesOffset + 16 * PAGE
        assert.deepInclude(damage[0], { block: "pc.ram", firstPage: 16, pages: 16, position })
        assert.match(error.message, /pages 16 to 31 of "pc.ram".*expected digest [0-9a-f]+, found [0-9a-f]+/)
      }
    })
  )
})

describe("what lies under clear bits", () => {
  it.effect("is nobody's business, and neither is padding", () =>
    Effect.gen(function* () {
      const { image, parts } = yield* setup()
      const bytes = image.slice().fill(0xee)
      for (const { length, position } of [...parts.rest, ...parts.pages, ...parts.seal]) {
        bytes.set(image.subarray(position, position + length), position)
      }
      // Between the stream and the seal a stream without a description may only have zeros; this one has a description.
      assert.isUndefined((yield* verifyBytes(bytes)).error)
    })
  )
})

describe("a damaged page", () => {
  const damaged = Effect.gen(function* () {
    const { disk, image, memory } = yield* saved(1, { extentSize: EXTENT })
    const { blocks } = yield* Effect.provide(Effect.scoped(Image.open("/vm.img")), disk.layer)
    const page = blocks[0]!.reader.present.nextSet(20)
    const bytes = image.slice()
    bytes.fill(0xbd, blocks[0]!.pagesOffset + page * PAGE, blocks[0]!.pagesOffset + (page + 1) * PAGE)
    disk.write("/vm.img", bytes)
    return { disk, memory, page }
  })

  it.effect("is not restored: the restore fails, and none of it is in the memory", () =>
    Effect.gen(function* () {
      const { disk } = yield* damaged
      const memory = new Uint8Array(96 * PAGE)
      const block = yield* MemoryPages.make({ idstr: "pc.ram", memory })
      for (const directIo of [false, true]) {
        const error = yield* Effect.gen(function* () {
          const image = yield* Image.open("/vm.img")
          return yield* Effect.flip(restore({ source: image, blocks: [block], batchSize: PAGE, directIo }))
        }).pipe(Effect.scoped, Effect.provide(disk.layer))
        assert.instanceOf(error, Integrity.IntegrityError)
        assert.isFalse(Buffer.from(memory).includes(Buffer.alloc(64, 0xbd)))
      }
    })
  )

  it.effect("is not converted, nor read by itself; a page of another extent is", () =>
    Effect.gen(function* () {
      const { disk, memory, page } = yield* damaged
      yield* Effect.gen(function* () {
        const image = yield* Image.open("/vm.img")
        const converted = yield* Effect.flip(convert({ source: image, target: "/copy.img", batchSize: PAGE }))
        assert.instanceOf(converted, Integrity.IntegrityError)
        assert.isUndefined(disk.read("/copy.img"))
        const read = yield* Effect.flip(image.readPages("pc.ram", (page + 1) * PAGE, PAGE))
        assert.instanceOf(read, Integrity.IntegrityError)
        assert.deepStrictEqual(yield* image.readPages("pc.ram", 100, 5000), memory.slice(100, 5100))
      }).pipe(Effect.scoped, Effect.provide(disk.layer))
    })
  )

  it.live("is not sent, with multifd and without: neither side takes it for a migration", () =>
    Effect.gen(function* () {
      for (const channels of [0, 2]) {
        const { disk } = yield* damaged
        const network = yield* VirtualNetwork.make()
        const at = SocketAddress.unix("/vm.sock")
        const listening = yield* Deferred.make<void>()
        const onListening = () => Effect.asVoid(Deferred.succeed(listening, undefined))
        const memory = new Uint8Array(96 * PAGE)
        const blocks = [
          yield* MemoryPages.make({ idstr: "pc.ram", memory }),
          yield* MemoryPages.make({ idstr: "pc.bios", memory: new Uint8Array(8 * PAGE) })
        ]
        const receiving = Effect.exit(receive({ listen: at, target: BlocksTarget.make(blocks), channels, onListening }))
        const sending = Effect.gen(function* () {
          yield* Deferred.await(listening)
          return yield* Effect.flip(send({ source: yield* Image.open("/vm.img"), to: at, channels }))
        }).pipe(Effect.scoped)
        const { received, sent } = yield* Effect.all({ received: receiving, sent: sending }, { concurrency: 2 }).pipe(
          Effect.provide(disk.layer),
          Effect.provide(network.layer)
        )
        assert.instanceOf(sent, Integrity.IntegrityError)
        assert.strictEqual(received._tag, "Failure")
        assert.isFalse(Buffer.from(memory).includes(Buffer.alloc(64, 0xbd)))
      }
    })
  )

  it.effect("is handed on where nobody wants to know", () =>
    Effect.gen(function* () {
      const { disk, page } = yield* damaged
      const memory = new Uint8Array(96 * PAGE)
      const block = yield* MemoryPages.make({ idstr: "pc.ram", memory })
      yield* Effect.gen(function* () {
        const image = yield* Image.open("/vm.img", { verify: false })
        assert.isUndefined(image.seal)
        yield* restore({ source: image, blocks: [block] })
      }).pipe(Effect.scoped, Effect.provide(disk.layer))
      assert.strictEqual(memory[page * PAGE], 0xbd)
    })
  )
})

describe("a number of channels", () => {
  it.effect.each([0, 256, Number.NaN])(
    "%d that is none reads nothing, and so nobody is told that all is well",
    (channels) =>
      Effect.gen(function* () {
        const { disk, image } = yield* saved(1, {})
        const refused = [
          Effect.asVoid(Effect.scoped(Verify.run("/vm.img", { channels }))),
          Seal.run("/vm.img", { channels }),
          Effect.asVoid(Recover.run({ source: "/vm.img", target: "/new.img", channels }))
        ]
        for (const run of refused) {
          const error = yield* Effect.flip(Effect.provide(run, disk.layer))
          assert.strictEqual(error._tag, "PipelineOptionsError")
        }
        assert.isTrue(disk.holds("/vm.img", image))
      })
  )
})

describe("a key", () => {
  const problemOf = (disk: MemoryDisk.MemoryDisk, options: Integrity.VerifyOptions) =>
    Effect.scoped(Image.open("/vm.img", options)).pipe(
      Effect.as(undefined),
      Effect.catchTag("SealKeyError", ({ problem }) => Effect.succeed(problem)),
      Effect.provide(disk.layer)
    )
  const other = new Uint8Array(32).fill(4)

  it.effect("is demanded, compared, and not taken for one where there is none", () =>
    Effect.gen(function* () {
      const keyed = yield* saved(1, { key })
      assert.isUndefined(yield* problemOf(keyed.disk, { key }))
      assert.strictEqual(yield* problemOf(keyed.disk, {}), "missing")
      assert.strictEqual(yield* problemOf(keyed.disk, { key: other }), "wrong")
      assert.isUndefined(yield* problemOf(keyed.disk, { verify: false }))
      for (const seal of [false, {}] as const) {
        const { disk } = yield* saved(1, seal)
        assert.strictEqual(yield* problemOf(disk, { key }), "not-keyed")
      }
      const { error } = yield* Effect.provide(Effect.scoped(Verify.run("/vm.img")), keyed.disk.layer)
      assert.match(error!.message, /cannot verify .*: it is sealed with a key; give that key with --key-file/)
    })
  )

  it.effect("that somebody else has makes no image that passes", () =>
    Effect.gen(function* () {
      const { disk } = yield* saved(1, { key })
      yield* Effect.provide(Seal.run("/vm.img", { key: other }), disk.layer)
      assert.strictEqual(yield* problemOf(disk, { key }), "wrong")
      yield* Effect.provide(Seal.run("/vm.img"), disk.layer)
      assert.strictEqual(yield* problemOf(disk, { key }), "not-keyed")
      yield* Effect.provide(Seal.run("/vm.img", { key }), disk.layer)
      assert.isUndefined(yield* problemOf(disk, { key }))
    })
  )

  it.effect("and other options that make no sense are refused", () =>
    Effect.gen(function* () {
      for (const seal of [
        { extentSize: 5000 },
        { extentSize: 32 * 1024 * KIB },
        { algorithm: "hmac-sha256" as const },
        { algorithm: "crc32" as const, key },
        { key: key.subarray(0, 15) }
      ]) {
        const error = yield* Effect.flip(saved(1, seal))
        assert.strictEqual(error._tag, "MigrationRequestError", JSON.stringify(seal))
      }
    })
  )
})

describe("seal", () => {
  it.effect("adds checksums in place: what was there is what is there", () =>
    Effect.gen(function* () {
      for (const options of [{}, { algorithm: "sha256", extentSize: EXTENT }, { key }] as const) {
        const { disk, image } = yield* saved(1, false)
        yield* Effect.provide(Seal.run("/vm.img", options), disk.layer)
        const sealed = disk.read("/vm.img")!
        const verified = yield* Effect.provide(
          Effect.scoped(Verify.run("/vm.img", "key" in options ? { key } : {})),
          disk.layer
        )
        assert.isUndefined(verified.error)
        assert.isDefined(verified.inspection.seal)
        const changed = [...image.keys()].filter((at) => image[at] !== sealed[at])
        assert.isAtMost(changed.at(-1)! - changed[0]! + 1, SealMark.LENGTH)
      }
    })
  )

  it.effect("gives the same seal as a save does, and does so again", () =>
    Effect.gen(function* () {
      const { disk, image } = yield* saved(1, {}, {})
      const unsealed = yield* saved(1, false)
      yield* Effect.provide(Seal.run("/vm.img"), unsealed.disk.layer)
      assert.strictEqual(Buffer.compare(unsealed.disk.read("/vm.img")!, image), 0)
      yield* Effect.provide(Seal.run("/vm.img"), disk.layer)
      assert.strictEqual(Buffer.compare(disk.read("/vm.img")!, image), 0)
    })
  )

  it.effect("leaves an image that loads, whenever the power is cut, also one without a description", () =>
    Effect.gen(function* () {
      for (const description of [true, false]) {
        const disk = MemoryDisk.make()
        const empty = MachineState.empty({})
        const machineState = description ? empty : { ...empty, description: ByteSource.empty }
        const block = yield* MemoryPages.make({ idstr: "pc.ram", memory: ramOf(1) })
        yield* Effect.provide(save({ target: "/vm.img", blocks: [block], machineState, seal: false }), disk.layer)
        const { calls } = disk
        const after: Array<MemoryDisk.MemoryDisk> = []
        let cuts = 0
        const cut = () => {
          for (const odd of [0, 1, 2]) after.push(disk.powerCut(() => odd === 2 || cuts++ % 2 === odd))
          after.push(disk.powerCut())
        }
        const cutting: FileCalls.Calls = {
          ...calls,
          write: (fd, data, offset, length, position, done) => {
            cut()
            calls.write(fd, data, offset, length, position, (error, count) => {
              cut()
              done(error, count)
            })
          },
          fdatasync: (fd, done) => {
            cut()
            calls.fdatasync(fd, done)
          }
        }
        yield* Effect.provideService(Seal.run("/vm.img"), FileCalls.FileCalls, cutting)
        cut()
        assert.isAtLeast(after.length, 20)
        let sealed = 0
        for (const state of after) {
          const { error, inspection } = yield* Effect.provide(Effect.scoped(Verify.run("/vm.img")), state.layer)
          assert.isUndefined(error)
          if (inspection.seal !== undefined) sealed++
        }
        assert.isAtLeast(sealed, 4)
        assert.isBelow(sealed, after.length)
      }
    })
  )

  it.effect("does not overwrite what somebody else has put behind the stream", () =>
    Effect.gen(function* () {
      const { disk, image } = yield* saved(1, false)
      const more = Buffer.concat([image, Buffer.alloc(3000), Buffer.from("something else")])
      disk.write("/vm.img", more)
      const error = yield* Effect.flip(Effect.provide(Seal.run("/vm.img"), disk.layer))
      assert.match(
        error.message,
        /cannot seal: the file has data after the end of the stream \(byte \d+\); write the image anew/
      )
      assert.strictEqual(Buffer.compare(disk.read("/vm.img")!, more), 0)
    })
  )

  it.effect("refuses what is no image", () =>
    Effect.gen(function* () {
      const { disk, image } = yield* saved(1, false)
      disk.write("/vm.img", image.subarray(0, 100_000))
      const error = yield* Effect.flip(Effect.provide(Seal.run("/vm.img"), disk.layer))
      assert.strictEqual(error._tag, "TruncatedImageError")
    })
  )
})
