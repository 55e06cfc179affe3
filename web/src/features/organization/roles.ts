// Roles in words, and what each allows to see and do in the client. The server
// decides; this only spares people what it would refuse.
import { t } from '@lingui/core/macro';
import type { Role } from '@/api/types';

/** From least to most. */
export const ROLES: readonly Role[] = ['user', 'organizer', 'orgAdmin'];

export function roleName(role: Role): string {
  if (role === 'orgAdmin') return t`Administrator`;
  return role === 'organizer' ? t`Organizer` : t`Member`;
}

/** What a role is for, in one line. */
export function roleExplained(role: Role): string {
  if (role === 'orgAdmin')
    return t`Does everything organizers do, and looks after people, settings and the record.`;
  return role === 'organizer'
    ? t`Creates and runs events, and sees who has booked.`
    : t`Sees and books the events that are for members only.`;
}

/** Whether a role allows at least what another one does. */
export function atLeast(role: Role, least: Role): boolean {
  return ROLES.indexOf(role) >= ROLES.indexOf(least);
}

export function isRole(value: unknown): value is Role {
  return ROLES.some((role) => role === value);
}

export type Section = 'events' | 'people' | 'settings' | 'record';

const NEEDS: Record<Section, Role> = {
  events: 'organizer',
  people: 'user',
  settings: 'orgAdmin',
  record: 'orgAdmin',
};

/** The least role that a part of running an organization takes. */
export function roleFor(section: Section): Role {
  return NEEDS[section];
}

/** The parts that a role may open, in the order in which they are offered. */
export function sectionsFor(role: Role): Section[] {
  return (Object.keys(NEEDS) as Section[]).filter((section) => atLeast(role, NEEDS[section]));
}
