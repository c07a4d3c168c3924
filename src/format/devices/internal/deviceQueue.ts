import type { Device } from "../DeviceFields.ts"

/**
 * Returns the devices of a description in the order of their sections. Sections of the same name and instance take
 * theirs one after another.
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

  /** The next device with this name and instance. */
  take(name: string, instanceId: number): Device | undefined {
    return this.waiting.get(keyOf(name, instanceId))?.pop()
  }
}

/** Instance ids are u32 in the stream; old QEMUs wrote the upper half as negative numbers. */
const keyOf = (name: string, instanceId: number): string => `${instanceId >>> 0}:${name}`
