import type * as HelpDoc from "effect/cli/HelpDoc"

/** @internal */
export interface Row {
  readonly term: string
  readonly text: string
}

/** @internal */
export type Body =
  | { readonly _tag: "Text"; readonly text: string }
  | { readonly _tag: "Rows"; readonly rows: ReadonlyArray<Row> }
  | { readonly _tag: "Examples"; readonly examples: ReadonlyArray<HelpDoc.ExampleDoc> }

/** @internal */
export interface Section {
  readonly title: string
  readonly body: Body
}

/** @internal */
export interface Page {
  /** As typed: `multifd send`. */
  readonly name: string
  readonly summary: string
  readonly usage: string
  readonly sections: ReadonlyArray<Section>
}
