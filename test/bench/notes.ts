/**
 * Why a target may be missed, for the report: shown only where it was.
 */

/** The reason, for the targets whose name matches. */
export interface Note {
  readonly about: RegExp
  readonly why: string
}

export const notes: ReadonlyArray<Note> = []
