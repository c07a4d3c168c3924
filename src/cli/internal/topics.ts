import { exitCodes } from "./exitCodes.ts"
import { variables } from "./environment.ts"
import type { Section } from "./helpSection.ts"

/**
 * A page of the help that is not about a single command.
 *
 * @internal
 */
export interface Topic {
  readonly name: string
  readonly summary: string
  readonly sections: ReadonlyArray<Section>
}

const text = (title: string, ...paragraphs: ReadonlyArray<string>): Section => ({
  title,
  body: { _tag: "Text", text: paragraphs.join("\n\n") }
})

const rows = (title: string, ...all: ReadonlyArray<readonly [string, string]>): Section => ({
  title,
  body: { _tag: "Rows", rows: all.map(([term, description]) => ({ term, text: description })) }
})

const codes: Topic = {
  name: "exit-codes",
  summary: "Exit codes and their meanings",
  sections: [rows("EXIT CODES", ...exitCodes.map(([code, meaning]) => [String(code), meaning] as const))]
}

const addresses: Topic = {
  name: "addresses",
  summary: "Notation of images, sockets, RAM blocks and sizes",
  sections: [
    rows(
      "IMAGES",
      ["PATH", "A file or a block device"],
      ["file:PATH,offset=N", "An image that begins N bytes into a file, as in QEMU"]
    ),
    rows(
      "SOCKETS",
      ["tcp:HOST:PORT", "A TCP address; an IPv6 host needs brackets: tcp:[::1]:4444"],
      ["unix:PATH", "A Unix socket"]
    ),
    rows(
      "RAM BLOCKS",
      ["ID=PATH", "The block that QEMU calls ID (pc.ram, for example) is all of the file"],
      ["ID=PATH,offset=N,length=N", "The block is a part of the file"]
    ),
    rows("SIZES", ["4096, 0x1000", "Bytes"], ["4k, 1.5M, 2G", "KiB, MiB and GiB, as in QEMU"])
  ]
}

const json: Topic = {
  name: "json",
  summary: "Output of --json and --progress json",
  sections: [
    text(
      "--json",
      "Every command prints exactly one JSON document on stdout, also when it fails:",
      '  {"version": 1, "command": "info", …fields of the result}\n' +
        '  {"version": 1, "command": "info", "error": {"tag": "FileNotFoundError", "message": "…", "exitCode": 6, …}}',
      "A result can be a failure as well: verify prints its findings along with error. stderr stays the same. " +
        "schema/multifd.schema.json in the package is the JSON Schema of all documents."
    ),
    text(
      "--progress json",
      "Every line on stderr is a JSON document with a field event: progress, warning, log, listening, completed, " +
        "interrupted or failed."
    )
  ]
}

const environment: Topic = {
  name: "environment",
  summary: "Environment variables",
  sections: [
    rows(
      "ENVIRONMENT",
      ...Object.entries(variables).map(
        ([name, { flag, meaning }]) => [name, `Default of --${flag}: ${meaning}`] as const
      ),
      ["NO_COLOR", "No colours, if it is not empty"],
      ["FORCE_COLOR", "Colours even if the output is not a terminal"],
      ["TERM", "dumb: no colours, and no line that is redrawn"]
    )
  ]
}

/**
 * The topics, in the order of the help.
 *
 * @internal
 */
export const topics: ReadonlyArray<Topic> = [addresses, codes, environment, json]
