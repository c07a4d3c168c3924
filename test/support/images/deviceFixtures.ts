/**
 * Device state that a real QEMU wrote; `test/fixtures/device-state/README.md` says how.
 */
import { assert } from "@effect/vitest"
import * as Fs from "node:fs"
import * as Path from "node:path"
import * as Zlib from "node:zlib"
import * as Parser from "../../../src/format/Parser.ts"
import * as Description from "../../../src/format/devices/Description.ts"

const folder = Path.resolve(import.meta.dirname, "../../fixtures/device-state")

const load = (name: string): Uint8Array =>
  new Uint8Array(Zlib.gunzipSync(Fs.readFileSync(Path.join(folder, `${name}.bin.gz`))))

/** The end of an image. */
export interface Fixture {
  readonly name: string
  readonly bytes: Uint8Array
  /** Where the device state begins: behind RAM's END. */
  readonly stateStart: number
  readonly footers: boolean
  /** How many FULL sections the device state has. */
  readonly sections: number
}

const pc = load("pc")
const q35 = load("q35")
const microvm = load("microvm")

/** Behind the early section: an empty PART, SWITCHOVER_START, and END, of RAM with the section id 1. */
const q35StateStart = Buffer.from(q35).indexOf("030000000100000000000000107e00000001", "hex") + 18

export const fixtures: ReadonlyArray<Fixture> = [
  { name: "pc", bytes: pc, stateStart: 0, footers: true, sections: 34 },
  { name: "q35", bytes: q35, stateStart: q35StateStart, footers: true, sections: 33 },
  { name: "microvm", bytes: microvm, stateStart: 0, footers: false, sections: 15 }
]

type Found = Extract<Description.Located, { readonly _tag: "Found" }>

const locate = ({ bytes, stateStart }: Fixture): Found => {
  const located = Parser.runSync(Description.locate({ from: stateStart, to: bytes.length }), bytes)
  assert(located._tag === "Found")
  return located
}

const described = new Map(fixtures.map((fixture) => [fixture, locate(fixture)]))

/** The description of a fixture, with its place. */
export const describedIn = (fixture: Fixture): Found => described.get(fixture)!

/** The device sections alone. */
export const stateOf = (fixture: Fixture): Uint8Array =>
  fixture.bytes.subarray(fixture.stateStart, describedIn(fixture).eof)
