import type { Calls } from "../../../src/io/files/FileCalls.ts"
import * as MemoryDisk from "../../../src/testing/MemoryDisk.ts"

/** A disk that moves bytes in the calling thread, too, where that suits; `moved` counts those calls. */
export const quickDisk = ({ suits }: { readonly suits: boolean }) => {
  const disk = MemoryDisk.make()
  const content = new Uint8Array(1024)
  const moved = { read: 0, write: 0 }
  const calls: Calls = {
    ...disk.calls,
    inThread: {
      suits: (_, done) => void setImmediate(done, suits),
      read: (_fd, target, offset, length, position) => {
        moved.read++
        target.set(content.subarray(position, position + length), offset)
        return length
      },
      write: (_fd, data, offset, length, position) => {
        moved.write++
        content.set(data.subarray(offset, offset + length), position)
        return length
      }
    }
  }
  return { calls, moved }
}
