// The catalogs are generated from the sources by `npm run messages` and compiled
// by the build: this one for the first load, laterWords.ts for the rest. English
// is the source, so nothing can be missing in it.
import { i18n } from '@lingui/core';
import { messages } from '@/locales/en.po';

i18n.loadAndActivate({ locale: 'en', messages });

export { i18n };
