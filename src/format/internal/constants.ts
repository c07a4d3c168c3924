/** @internal */
export const MAGIC = 0x5145564d

/** @internal */
export const VERSION = 3

/** @internal */
export const RAM_VERSION = 4

/** @internal */
export const SectionType = {
  endOfStream: 0x00,
  start: 0x01,
  part: 0x02,
  end: 0x03,
  full: 0x04,
  subsection: 0x05,
  description: 0x06,
  configuration: 0x07,
  command: 0x08,
  footer: 0x7e
} as const

/** @internal */
export const RamFlag = {
  zero: 0x002,
  memSize: 0x004,
  page: 0x008,
  endOfSection: 0x010,
  continue: 0x020,
  xbzrle: 0x040,
  hook: 0x080,
  multifdFlush: 0x200
} as const

/** @internal */
export const Command = {
  openReturnPath: 1,
  ping: 2,
  postcopyAdvise: 3,
  enableColo: 8,
  switchoverStart: 11
} as const
