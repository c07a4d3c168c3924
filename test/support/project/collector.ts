/** A collector of OpenTelemetry's spans and metrics, as JSON over HTTP. */
import * as Http from "node:http"
import type * as Net from "node:net"

interface Named {
  readonly name: string
}

/** The parts of a request that are looked at. */
interface Export {
  readonly resourceSpans?: ReadonlyArray<{
    readonly scopeSpans: ReadonlyArray<{ readonly spans: ReadonlyArray<Named> }>
  }>
  readonly resourceMetrics?: ReadonlyArray<{
    readonly scopeMetrics: ReadonlyArray<{ readonly metrics: ReadonlyArray<Named> }>
  }>
}

export interface Collector {
  readonly url: string
  readonly spans: ReadonlySet<string>
  readonly metrics: ReadonlySet<string>
  readonly stop: () => Promise<void>
}

export const start = async (): Promise<Collector> => {
  const spans = new Set<string>()
  const metrics = new Set<string>()
  const server = Http.createServer(async (request, response) => {
    const text = (await request.toArray()).join("")
    const { resourceMetrics = [], resourceSpans = [] } = JSON.parse(text) as Export
    for (const { scopeSpans } of resourceSpans) {
      for (const { name } of scopeSpans.flatMap((scope) => scope.spans)) spans.add(name)
    }
    for (const { scopeMetrics } of resourceMetrics) {
      for (const { name } of scopeMetrics.flatMap((scope) => scope.metrics)) metrics.add(name)
    }
    response.setHeader("content-type", "application/json").end("{}")
  })
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  const { port } = server.address() as Net.AddressInfo
  const stop = (): Promise<void> =>
    new Promise((resolve) => {
      server.close(() => resolve())
      server.closeAllConnections()
    })
  return { url: `http://127.0.0.1:${port}`, spans, metrics, stop }
}
