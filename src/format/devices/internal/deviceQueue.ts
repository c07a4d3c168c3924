import type { Device } from "../DeviceFields.ts"

/**
 * The devices of a description, handed out in the order in which their sections come. Sections of the same name and
 * instance take theirs one after the other.
 *
 * @internal
 */
export class DeviceQueue {
  private readonly waiting = new Map<string, Array<Device>>()

  constructor(devices: ReadonlyArray<Device>) {
    for (const device of devices.toReversed()) {
      const key = keyOf(device.name, device.instance_id)
      const same = this.waiting.get(key)
      if (same === undefined) this.waiting.set(key, [device])
      else same.push(device)
    }
  }

  /** The next device of that name and instance. */
  take(name: string, instanceId: number): Device | undefined {
    return this.waiting.get(keyOf(name, instanceId))?.pop()
  }
}

/** Instance ids are u32 in the stream; old QEMUs wrote those of the upper half as negative numbers. */
const keyOf = (name: string, instanceId: number): string => `${instanceId >>> 0}:${name}`
