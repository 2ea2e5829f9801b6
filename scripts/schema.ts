/** `npm run schema` writes schema.graphql; `npm run schema -- --check` fails when it differs from the code's. */
import { readFileSync, writeFileSync } from 'node:fs';
import { printedSchema } from '../src/graphql/print-schema.ts';

if (process.argv.includes('--check')) {
  if (readFileSync('schema.graphql', 'utf8') !== printedSchema()) {
    process.stderr.write('schema.graphql differs from the code. Run: npm run schema\n');
    process.exit(1);
  }
} else {
  writeFileSync('schema.graphql', printedSchema());
}
