/**
 * Metrics of operations, and of what QEMU reports.
 *
 * @stability stable
 * @since 0.1.0
 */
export * from "../migration/Metrics.ts"
export {
  follow as followStatistics,
  names as statisticsNames,
  update as updateStatistics
} from "../migration/StatisticsMetrics.ts"
