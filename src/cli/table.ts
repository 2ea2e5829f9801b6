/** Rows in aligned columns under their names, for people. */
export function formatTable(rows: Record<string, string>[]): string {
  const names = Object.keys(rows[0] ?? {});
  const widths = names.map((name) => Math.max(name.length, ...rows.map((row) => row[name]?.length ?? 0)));
  const line = (cells: string[]) =>
    cells
      .map((cell, i) => cell.padEnd(widths[i] ?? 0))
      .join('  ')
      .trimEnd();
  const head = line(names.map((name) => name.toUpperCase()));
  return [head, ...rows.map((row) => line(names.map((name) => row[name] ?? '')))].join('\n');
}
