/**
 * Where an image is.
 *
 * @since 0.1.0
 */

/**
 * A file, and where in it the migration stream begins.
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
 * A path stands for the beginning of its file.
 *
 * @stability stable
 * @category constructors
 * @since 0.1.0
 */
export const make = (location: string | Location): Location =>
  typeof location === "string" ? { path: location } : location
