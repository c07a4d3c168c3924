/**
 * Reads and writes in the calling thread, finished when the call returns. If bytes need not wait for a device, handing
 * a call to another thread and back can take as long as the call itself.
 *
 * @stability unstable
 * @category models
 * @since 0.1.0
 */
export interface InThread {
  /** Decides if this is worthwhile for the file of this name. `done` is called once, later. */
  readonly suits: (path: string, done: (suits: boolean) => void) => void
  /** `pread(2)`: may read fewer bytes than requested; 0 at the end of the file. Throws an `ErrnoError`. */
  readonly read: (fd: number, target: Uint8Array, offset: number, length: number, position: number) => number
  /** `pwrite(2)`: may write fewer bytes than requested. Throws an `ErrnoError`. */
  readonly write: (fd: number, data: Uint8Array, offset: number, length: number, position: number) => number
}
