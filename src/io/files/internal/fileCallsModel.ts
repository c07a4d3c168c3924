/**
 * Reads and writes that are done by the thread that asks for them, and over when the call returns. Where bytes need not wait
 * for a device, handing a call to another thread and its answer back can cost as much as the call itself.
 *
 * @stability unstable
 * @category models
 * @since 0.1.0
 */
export interface InThread {
  /** Whether it is worth it for the file of this name. `done` is called once, later. */
  readonly suits: (path: string, done: (suits: boolean) => void) => void
  /** `pread(2)`: may read less than asked; 0 at the end of the file. Throws an `ErrnoError`. */
  readonly read: (fd: number, target: Uint8Array, offset: number, length: number, position: number) => number
  /** `pwrite(2)`: may write less than asked. Throws an `ErrnoError`. */
  readonly write: (fd: number, data: Uint8Array, offset: number, length: number, position: number) => number
}
