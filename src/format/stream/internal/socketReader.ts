import * as Result from "effect/Result"
import type { ReadRequest } from "../../Parser.ts"
import * as Finding from "../../Finding.ts"
import type { Event, Limits, Reader } from "./socketStreamModel.ts"
import { Cursor } from "../../internal/cursor.ts"
import { type EventSteps, readMainChannel } from "./socketParser.ts"
import { StreamWindow } from "./streamWindow.ts"

const NO_BYTES = new Uint8Array(0)

/**
 * Runs the steps of the parser over a window.
 *
 * @internal
 */
export class SocketReader implements Reader {
  private readonly window: StreamWindow
  private readonly cursor = new Cursor(0)
  private readonly steps: EventSteps<void>
  private demand: ReadRequest | undefined
  private failure: Finding.Finding | undefined

  constructor(options: { readonly pageSize: number; readonly bufferSize: number; readonly limits: Limits }) {
    const { bufferSize, limits, pageSize } = options
    this.window = new StreamWindow(bufferSize)
    this.steps = readMainChannel({ window: this.window, cursor: this.cursor, pageSize, limits })
  }

  next(): Result.Result<Event | undefined, Finding.Finding> {
    while (this.failure === undefined) {
      const bytes = this.demanded()
      if (bytes === undefined) return Result.succeed(undefined)
      const step = this.steps.next(bytes)
      if (step.done === true) return Result.succeed(undefined)
      if (step.value instanceof Finding.Finding) this.failure = step.value
      else if ("_tag" in step.value) return this.told(step.value)
      else this.demand = step.value
    }
    return Result.fail(this.failure)
  }

  private told(event: Event): Result.Result<Event> {
    this.demand = undefined
    return Result.succeed(event)
  }

  /** The bytes that the parser waits for, or `undefined` if they have not arrived. */
  private demanded(): Uint8Array | undefined {
    if (this.demand === undefined) return NO_BYTES
    const { length, position } = this.demand
    const bytes = this.window.from(position, length)
    return bytes.length === length || this.window.isEnded ? bytes : undefined
  }

  space(): Uint8Array {
    return this.window.space(this.cursor.position)
  }

  filled(bytes: number): void {
    this.window.end += bytes
  }

  ended(): void {
    this.window.isEnded = true
  }

  rest(): Uint8Array {
    return this.window.from(this.cursor.position)
  }
}
