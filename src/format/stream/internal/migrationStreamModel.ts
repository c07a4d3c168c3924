/**
 * The configuration section: settings that must be equal on both sides.
 *
 * @stability unstable
 * @category models
 * @since 0.1.0
 */
export interface Configuration {
  /** The versioned machine type, such as `pc-i440fx-10.0`. */
  readonly machine: string
  /** Binary logarithm of the page size, if it is larger than the smallest that the CPU type allows. */
  readonly targetPageBits?: number
  /** The capabilities that are listed because both sides must agree: `x-ignore-shared`, `mapped-ram`, in that order. */
  readonly capabilities: ReadonlyArray<string>
  /** 16 bytes in the order of the UUID's text. */
  readonly uuid?: Uint8Array
}

/**
 * The header of a section.
 *
 * @stability unstable
 * @category models
 * @since 0.1.0
 */
export type SectionHeader =
  | {
      readonly type: "start" | "full"
      readonly sectionId: number
      /** The device, 1 to 255 bytes of UTF-8. */
      readonly name: string
      readonly instanceId: number
      readonly version: number
    }
  | { readonly type: "part" | "end"; readonly sectionId: number }

/**
 * A decoded value and the position after it.
 *
 * @stability unstable
 * @category models
 * @since 0.1.0
 */
export interface Decoded<out A> {
  readonly value: A
  readonly end: number
}
