// The words of screens that are not part of the first load. The build adds this
// import to every file that lingui.config.ts lists as LATER.
import { i18n } from '@lingui/core';
import { messages } from '@/locales/later/en.po';

i18n.load('en', messages);
