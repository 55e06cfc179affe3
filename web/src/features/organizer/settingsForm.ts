import { t } from '@lingui/core/macro';
import * as z from 'zod/mini';
import type { Organization, OrganizationChange } from '@/api/types';
import { readColour } from '@/features/organization/colour';
import { isAddress } from './inviteLines';
import { type Rebased, rebased } from './rebase';

export const MAX_NAME = 200;
export const MAX_ABOUT = 5000;
const MAX_WEBSITE = 300;

export interface SettingsForm {
  name: string;
  about: string;
  contactEmail: string;
  website: string;
  /** "#rrggbb"; empty: the product's own. */
  color: string;
  /** IANA; empty: whoever makes an event begins with their own. */
  timeZone: string;
}

/** Checks what can be known without the server; the server has the last word. */
export function settingsSchema() {
  return z.object({
    name: z.string().check(
      z.refine((v) => v.trim() !== '', t`Give the organization a name.`),
      z.maxLength(MAX_NAME, t`At most 200 characters.`),
    ),
    about: z.string().check(z.maxLength(MAX_ABOUT, t`At most 5,000 characters.`)),
    contactEmail: z
      .string()
      .check(z.refine((v) => v.trim() === '' || isAddress(v.trim()), t`That is no e-mail address.`)),
    website: z.string().check(
      z.maxLength(MAX_WEBSITE, t`At most 300 characters.`),
      z.refine((v) => v.trim() === '' || fullWebsite(v) !== null, t`That is no address of a website.`),
    ),
    color: z
      .string()
      .check(z.refine((v) => v.trim() === '' || readColour(v) !== null, t`A colour looks like #3f5bd9.`)),
    timeZone: z.string(),
  });
}

/** The address of a website as typed, with what people leave out; null where it is none. */
export function fullWebsite(typed: string): string | null {
  const text = typed.trim();
  if (/\s/.test(text)) return null;
  try {
    const url = new URL(/^[a-z][a-z0-9+.-]*:\/\//i.test(text) ? text : `https://${text}`);
    const safe = url.protocol === 'https:' || url.protocol === 'http:';
    return safe && url.username === '' && url.password === '' && url.hostname.includes('.') ? url.href : null;
  } catch {
    return null;
  }
}

export function formOf(org: Organization): SettingsForm {
  return {
    name: org.name,
    about: org.about,
    contactEmail: org.contact_email,
    website: org.website,
    color: org.color ?? '',
    timeZone: org.time_zone ?? '',
  };
}

function bodyOf(form: SettingsForm) {
  return {
    name: form.name.trim(),
    about: form.about,
    contact_email: form.contactEmail.trim(),
    website: form.website.trim() === '' ? '' : (fullWebsite(form.website) ?? form.website.trim()),
    color: form.color.trim() === '' ? null : readColour(form.color),
    time_zone: form.timeZone === '' ? null : form.timeZone,
  };
}

/** Only what differs, so that a change never carries along what somebody else changed. */
export function changeOf(form: SettingsForm, before: SettingsForm): OrganizationChange {
  const now = bodyOf(form);
  const then = bodyOf(before);
  return Object.fromEntries(
    Object.entries(now).filter(([key, value]) => value !== then[key as keyof typeof then]),
  );
}

/** Puts what was typed onto what others saved meanwhile; what is the same once it is tidied does not differ. */
export function rebase(
  typed: SettingsForm,
  before: SettingsForm,
  newest: SettingsForm,
): Rebased<SettingsForm> {
  return rebased(
    typed,
    before,
    newest,
    (a, b, field) => Object.keys(changeOf({ ...b, [field]: a[field] }, b)).length > 0,
  );
}

const FIELDS: Readonly<Record<string, keyof SettingsForm>> = {
  name: 'name',
  about: 'about',
  contact_email: 'contactEmail',
  website: 'website',
  color: 'color',
  time_zone: 'timeZone',
};

/** The form's name of a field that the server complains about. */
export function settingsField(serverField: string): keyof SettingsForm | null {
  return FIELDS[serverField] ?? null;
}
