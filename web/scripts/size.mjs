// Fails when what a first visit loads before anything can be seen (the page,
// its scripts, styles and font) is larger than the limit, gzipped.
import { existsSync, readFileSync } from 'node:fs';
import { gzipSync } from 'node:zlib';

const LIMIT_KB = 170;
const dist = new URL('../dist/', import.meta.url);
if (!existsSync(new URL('index.html', dist)))
  throw new Error('dist/index.html is missing: run `npm run build` first');

const html = readFileSync(new URL('index.html', dist), 'utf8');
const files = [
  'index.html',
  ...[...html.matchAll(/(?:src|href)="\/([^"]+\.(?:js|css|woff2))"/g)].map((m) => m[1]),
];
let total = 0;
for (const file of files) {
  const size = gzipSync(readFileSync(new URL(file, dist)), { level: 9 }).length / 1000;
  total += size;
  console.log(`${size.toFixed(1).padStart(8)} kB  ${file}`);
}
console.log(`${total.toFixed(1).padStart(8)} kB  first load, limit ${LIMIT_KB} kB`);
if (total > LIMIT_KB) {
  console.error('First load is over its limit: load something later.');
  process.exit(1);
}
