/**
 * A stream of the library that does as it is told.
 */
import { Transform, type TransformCallback } from "node:stream"
import type { Native } from "../../../src/compression/internal/nativeStream.ts"

/** What the test sees of a stream. */
export class FakeNative extends Transform implements Native {
  bytesWritten = 0
  resets = 0
  /** The piece that the library works on; calling it ends the work. */
  finish: ((error?: Error) => void) | undefined

  override _transform(chunk: Buffer, _encoding: BufferEncoding, done: TransformCallback): void {
    this.finish = (error) => {
      this.finish = undefined
      if (error !== undefined) return void this.destroy(error)
      this.bytesWritten += chunk.length
      this.push(chunk)
      done()
    }
  }

  reset(): void {
    if (this.destroyed) throw new Error("reset of a closed stream")
    this.resets++
  }

  close(): void {}
  flush(): void {}
}

/** An error as the library reports it. */
export const libraryError = (code: string): Error => Object.assign(new Error("the library's words"), { code })
