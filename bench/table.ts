import { judge } from './goals.ts';
import { type BenchResult, median, summarise, summaryOf } from './results.ts';

/** The result for a terminal. */
export function printTable(result: BenchResult): string {
  const { servers, workloads, settings } = result;
  const lines: string[] = [];
  const title = `${settings.connections} connections, ${settings.rounds} rounds of ${settings.seconds} s`;
  lines.push(
    '',
    `Answers a second (${title}; ± half the distance of the rounds), p50 / p99 in ms, ms of processor time an answer (server + database), and Gatehouse's multiple`,
  );
  for (const workload of workloads) {
    const own = summaryOf(result, 'gatehouse', workload.name);
    lines.push('', workload.title);
    for (const server of servers) {
      const summary = summaryOf(result, server.name, workload.name);
      if (!summary) continue;
      const multiple =
        own && server.role !== 'gatehouse' ? `${(own.throughput / summary.throughput).toFixed(2)}×` : '';
      lines.push(
        [
          `  ${server.title.padEnd(16)}`,
          Math.round(summary.throughput).toLocaleString('en').padStart(8),
          `±${Math.round((summary.spread / 2) * 100)}%`.padStart(5),
          `${summary.p50.toFixed(1)} / ${summary.p99.toFixed(1)}`.padStart(15),
          (summary.cpu
            ? `${summary.cpu.server.toFixed(2)} + ${summary.cpu.database.toFixed(2)}`
            : ''
          ).padStart(14),
          multiple.padStart(8),
        ].join(' '),
      );
    }
  }
  const remembered = servers.filter(({ memory }) => memory);
  if (remembered.length > 0) {
    lines.push('', 'Memory resident, in MB: idle, after load');
    for (const { title, memory } of remembered) {
      lines.push(
        `  ${title.padEnd(16)} ${String(memory?.idle).padStart(5)} ${String(memory?.loaded).padStart(5)}`,
      );
    }
  }
  if (result.starts) {
    const { embedded, server } = result.starts;
    lines.push(
      '',
      `Start until ready: ${Math.round(median(embedded))} ms embedded, ${Math.round(median(server))} ms on PostgreSQL`,
    );
  }
  for (const [what, comparisons] of [
    [`${result.largeUsers?.toLocaleString('en')} users against 1,000`, result.growth],
    ['2 processes against 1', result.workers],
    ['deep in a list against its first page', result.deepPage && [result.deepPage]],
  ] as const) {
    if (!comparisons) continue;
    lines.push('', `${what}: answers a second`);
    for (const { title, base, other } of comparisons) {
      const [small, large] = [summarise(base).throughput, summarise(other).throughput];
      lines.push(
        `  ${title.padEnd(40)} ${Math.round(large).toLocaleString('en').padStart(8)} against ${Math.round(small).toLocaleString('en').padStart(8)} = ${(large / small).toFixed(2)}×`,
      );
    }
  }
  const goals = judge(result);
  if (goals.length > 0) lines.push('', 'Goals');
  for (const { what, goal, measured, reached } of goals) {
    lines.push(`  ${reached ? 'reached' : 'MISSED '}  ${what.padEnd(40)} ${measured.padStart(10)}  ${goal}`);
  }
  return lines.join('\n');
}
