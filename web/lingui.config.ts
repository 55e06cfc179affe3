import { defineConfig } from '@lingui/cli';
import { formatter } from '@lingui/format-po';

/**
 * What no first visit needs: the words of these places come with their code,
 * so that a screen more makes nobody wait longer for the first one.
 */
export const LATER = [
  'src/app/explain.ts',
  'src/lib/seatNames.ts',
  'src/features/event/SeatGridTwin.tsx',
  'src/features/event/SeatList.tsx',
  'src/features/bookings',
  'src/features/house',
  'src/features/notifications',
  'src/features/organization',
  'src/features/organizer',
  'src/features/profile',
];

// The source language is English and the catalogs are generated from the
// sources at every build; a second language is one more entry here and a file
// beside each en.po.
export default defineConfig({
  sourceLocale: 'en',
  locales: ['en'],
  catalogs: [
    {
      path: 'src/locales/{locale}',
      include: ['src'],
      exclude: LATER.flatMap((place) => [`**/${place}`, `**/${place}/**`]),
    },
    { path: 'src/locales/later/{locale}', include: LATER },
  ],
  compileNamespace: 'es',
  // Line numbers would change the file with every edit anywhere.
  format: formatter({ lineNumbers: false }),
  orderBy: 'message',
});
