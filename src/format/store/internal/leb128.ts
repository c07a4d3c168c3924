/** Numbers below 2^53 as unsigned LEB128, one after another. @internal */
export class Leb128Writer {
  private bytes = new Uint8Array(256)
  private used = 0

  put(value: number): void {
    if (this.used + 8 > this.bytes.length) this.grow()
    let rest = value
    while (rest > 127) {
      this.bytes[this.used++] = (rest % 128) | 128
      rest = Math.floor(rest / 128)
    }
    this.bytes[this.used++] = rest
  }

  finish(): Uint8Array {
    return this.bytes.subarray(0, this.used)
  }

  private grow(): void {
    const larger = new Uint8Array(2 * this.bytes.length)
    larger.set(this.bytes)
    this.bytes = larger
  }
}

/**
 * Exactly `count` numbers that fill `bytes`; `undefined` for fewer, more, one of 2^53 or more, or one that is not in
 * its shortest form. @internal
 */
export const readLeb128 = (bytes: Uint8Array, count: number): Float64Array | undefined => {
  if (count > bytes.length) return undefined
  const values = new Float64Array(count)
  let at = 0
  for (let index = 0; index < count; index++) {
    let value = 0
    let weight = 1
    let byte: number
    do {
      if (at === bytes.length || weight > 2 ** 49) return undefined
      byte = bytes[at++] ?? 0
      value += (byte & 127) * weight
      weight *= 128
    } while (byte > 127)
    if ((byte === 0 && weight > 128) || value > Number.MAX_SAFE_INTEGER) return undefined
    values[index] = value
  }
  return at === bytes.length ? values : undefined
}

/** A whole number of any sign as a non-negative one. @internal */
export const zigZag = (value: number): number => (value < 0 ? -2 * value - 1 : 2 * value)

/** @internal */
export const unZigZag = (value: number): number => (value % 2 === 0 ? value / 2 : -(value + 1) / 2)
