/** Fibers that have begun and not ended, of everything that is run with the layer: by the hook for Effect's own metrics of fibers. */
import * as Layer from "effect/Layer"
import * as Metric from "effect/Metric"

export interface LiveFibers {
  readonly count: () => number
  readonly layer: Layer.Layer<never>
}

export const make = (): LiveFibers => {
  let live = 0
  return {
    count: () => live,
    layer: Layer.succeed(Metric.FiberRuntimeMetrics, {
      recordFiberStart: () => void (live += 1),
      recordFiberEnd: () => void (live -= 1)
    })
  }
}
