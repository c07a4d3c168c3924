/**
 * Spans and metrics of a save, sent to an OpenTelemetry collector: `node examples/opentelemetry.ts [http://localhost:4318]`.
 */
import * as Effect from "effect/Effect"
import * as FetchHttpClient from "effect/http/FetchHttpClient"
import * as Layer from "effect/Layer"
import * as Otlp from "effect/observability/Otlp"
import { Image } from "effect-multifd"
import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"

const [baseUrl = "http://localhost:4318"] = process.argv.slice(2)

const telemetry = Otlp.layerJson({ baseUrl, resource: { serviceName: "backup" } }).pipe(
  Layer.provide(FetchHttpClient.layer)
)

const folder = await mkdtemp(join(tmpdir(), "multifd-"))
const save = Image.save(join(folder, "vm.img"), { ram: new Uint8Array(16 * 1024 * 1024).fill(1) })
const summary = await Effect.runPromise(save.pipe(Effect.withSpan("backup"), Effect.provide(telemetry)))
console.log(`saved ${summary.pages} pages; spans and metrics went to ${baseUrl}`)
await rm(folder, { recursive: true })
