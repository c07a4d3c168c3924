/**
 * Why bytes are no sequence of objects.
 *
 * @internal
 */
export interface Problem {
  readonly expected: string
  readonly found: string
}
