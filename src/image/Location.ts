/**
 * The location of an image.
 *
 * @since 0.1.0
 */

/**
 * A file, and the position of the migration stream in it.
 *
 * @stability stable
 * @category models
 * @since 0.1.0
 */
export interface Location {
  readonly path: string
  /** Byte offset of the stream, as in QEMU's `file:PATH,offset=N`. Default 0. */
  readonly offset?: number | undefined
}

/**
 * A path alone means the start of its file.
 *
 * @stability stable
 * @category constructors
 * @since 0.1.0
 */
export const make = (location: string | Location): Location =>
  typeof location === "string" ? { path: location } : location
