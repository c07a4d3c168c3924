/**
 * The reason why bytes are not a sequence of objects.
 *
 * @internal
 */
export interface Problem {
  readonly expected: string
  readonly found: string
}
