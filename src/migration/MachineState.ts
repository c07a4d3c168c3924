/**
 * Everything of a machine that is not RAM: what an image carries beside its pages.
 *
 * @since 0.1.0
 */
import type * as Effect from "effect/Effect"
import type { Configuration } from "../format/MigrationStream.ts"

/**
 * Bytes that are carried from one place to another without being held in memory as a whole.
 *
 * @category models
 * @since 0.1.0
 */
export interface Carried<out E = never> {
  /** Bytes. */
  readonly length: number
  /** Fills all of `target` with the bytes at `offset`. */
  readonly readInto: (offset: number, target: Uint8Array) => Effect.Effect<void, E>
}

/**
 * The parts of a migration stream that are not RAM, each byte for byte.
 *
 * **Details**
 *
 * `Image.machineState` takes them from an image; `fromSections` makes them of device sections of one's own.
 *
 * @category models
 * @since 0.1.0
 */
export interface MachineState<out E = never> {
  /** The configuration section; `undefined` where the sender left it out (`send-configuration=off`). */
  readonly configuration: Configuration | undefined
  /** Commands and sections between the configuration and RAM's START. */
  readonly prelude: Carried<E>
  /** Sections between RAM's START and END that are not RAM's: devices that are set up early. */
  readonly early: Carried<E>
  /** Whether SWITCHOVER_START stands in front of RAM's END (machine types 10.0 and later). */
  readonly switchoverStart: boolean
  /** Whether sections end with a footer (all machine types since 2.4). */
  readonly footers: boolean
  /** The device sections after RAM's END, without the end-of-stream byte. */
  readonly deviceState: Carried<E>
  /** The JSON description of the device state, empty where there is none. */
  readonly description: Carried<E>
}
