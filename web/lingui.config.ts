import { defineConfig } from '@lingui/cli';

// The source language is English and the catalog is generated from the
// sources at every build; a second language is one more entry here and a file
// beside en.po.
export default defineConfig({
  sourceLocale: 'en',
  locales: ['en'],
  catalogs: [{ path: 'src/locales/{locale}', include: ['src'] }],
  compileNamespace: 'es',
  orderBy: 'message',
});
