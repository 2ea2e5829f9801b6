import { type BenchResult, summaryOf } from './results.ts';
import type { Sample } from './soak.ts';

/** Readable on light and dark pages: no background of its own, and colours for both. */
const STYLE = `<style>
  text { font: 12px system-ui, sans-serif; fill: #1f2937 }
  .title { font-weight: 600 }
  .faint { fill: #6b7280 }
  .gatehouse { fill: #2563eb; stroke: #2563eb }
  .peer { fill: #9ca3af; stroke: #9ca3af }
  .limit { fill: none; stroke: #9ca3af; stroke-dasharray: 3 2 }
  .grid { stroke: #d1d5db; stroke-width: 1 }
  .line { fill: none; stroke-width: 1.5 }
  .resident { stroke: #2563eb }
  .heap { stroke: #d97706 }
  @media (prefers-color-scheme: dark) {
    text { fill: #e5e7eb }
    .faint { fill: #9ca3af }
    .gatehouse { fill: #60a5fa; stroke: #60a5fa }
    .peer { fill: #6b7280; stroke: #6b7280 }
    .grid { stroke: #374151 }
    .resident { stroke: #60a5fa }
    .heap { stroke: #fbbf24 }
  }
</style>`;

const WIDTH = 720;
const NAMES = 130;
const VALUES = 70;
const BAR = 16;

function document(height: number, label: string, content: string[]): string {
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}" role="img" aria-label="${escapeXml(label)}">`,
    STYLE,
    ...content,
    '</svg>',
    '',
  ].join('\n');
}

/** Answers a second of each server, a group of bars for each workload. */
export function drawThroughput(result: BenchResult): string {
  const content: string[] = [];
  let y = 0;
  for (const workload of result.workloads) {
    const bars = result.servers.flatMap(({ name, title, role }) => {
      const summary = summaryOf(result, name, workload.name);
      return summary ? [{ title, role, value: summary.throughput }] : [];
    });
    const most = Math.max(...bars.map(({ value }) => value));
    y += 20;
    content.push(`<text class="title" x="0" y="${y}">${escapeXml(workload.title)}</text>`);
    y += 8;
    for (const { title, role, value } of bars) {
      const width = Math.max(1, ((WIDTH - NAMES - VALUES) * value) / most);
      const middle = y + BAR - 4;
      content.push(
        `<text x="${NAMES - 8}" y="${middle}" text-anchor="end">${escapeXml(title)}</text>`,
        `<rect class="${role}" x="${NAMES}" y="${y + 2}" width="${width.toFixed(1)}" height="${BAR - 5}" rx="1"/>`,
        `<text class="faint" x="${(NAMES + width + 6).toFixed(1)}" y="${middle}">${Math.round(value).toLocaleString('en')}</text>`,
      );
      y += BAR;
    }
    y += 8;
  }
  return document(y + 4, 'Answers a second of each server in each workload', content);
}

const PLOT = { left: 50, right: 20, top: 30, bottom: 30, height: 260 };

/** Memory over the time of a soak. */
export function drawSoak(samples: Sample[]): string {
  const minutes = samples.at(-1)?.minute ?? 1;
  const most = Math.ceil(Math.max(...samples.map(({ resident }) => resident)) / 50) * 50;
  const x = (minute: number) => PLOT.left + ((WIDTH - PLOT.left - PLOT.right) * minute) / minutes;
  const y = (value: number) =>
    PLOT.height - PLOT.bottom - ((PLOT.height - PLOT.top - PLOT.bottom) * value) / most;
  const content: string[] = [];
  for (let value = 0; value <= most; value += 50) {
    content.push(
      `<line class="grid" x1="${PLOT.left}" x2="${WIDTH - PLOT.right}" y1="${y(value)}" y2="${y(value)}"/>`,
      `<text class="faint" x="${PLOT.left - 8}" y="${y(value) + 4}" text-anchor="end">${value}</text>`,
    );
  }
  const ticks = Array.from({ length: 7 }, (_, i) => (minutes * i) / 6);
  for (const minute of ticks) {
    content.push(
      `<text class="faint" x="${x(minute).toFixed(1)}" y="${PLOT.height - 10}" text-anchor="middle">${minute.toFixed(minutes < 6 ? 1 : 0)}</text>`,
    );
  }
  const step = Math.ceil(samples.length / 400);
  const drawn = samples.filter((_, i) => i % step === 0);
  for (const name of ['resident', 'heap'] as const) {
    const points = drawn.map((sample) => `${x(sample.minute).toFixed(1)},${y(sample[name]).toFixed(1)}`);
    content.push(`<polyline class="line ${name}" points="${points.join(' ')}"/>`);
  }
  content.push(
    `<text class="title" x="0" y="14">Memory in MB over minutes of mixed load</text>`,
    `<text x="${WIDTH - 190}" y="14">— resident</text><line class="line resident" x1="${WIDTH - 190}" x2="${WIDTH - 178}" y1="10" y2="10"/>`,
    `<text x="${WIDTH - 90}" y="14">— heap</text><line class="line heap" x1="${WIDTH - 90}" x2="${WIDTH - 78}" y1="10" y2="10"/>`,
  );
  return document(PLOT.height, 'Resident memory and heap over the time of the soak', content);
}

function escapeXml(text: string): string {
  return text.replace(/&/g, '&amp;').replace(/</g, '&lt;').replace(/"/g, '&quot;');
}
