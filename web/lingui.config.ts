import { defineConfig } from '@lingui/cli';
import { formatter } from '@lingui/format-po';

// The source language is English and the catalog is generated from the
// sources at every build; a second language is one more entry here and a file
// beside en.po.
export default defineConfig({
  sourceLocale: 'en',
  locales: ['en'],
  catalogs: [{ path: 'src/locales/{locale}', include: ['src'] }],
  compileNamespace: 'es',
  // Line numbers would change the file with every edit anywhere.
  format: formatter({ lineNumbers: false }),
  orderBy: 'message',
});
