import { t } from '@lingui/core/macro';
import {
  Drama,
  Dumbbell,
  GraduationCap,
  Hammer,
  HeartHandshake,
  type LucideIcon,
  Mic,
  Music4,
  PartyPopper,
  Shapes,
  UsersRound,
} from 'lucide-react';

export interface Category {
  readonly key: string;
  readonly icon: LucideIcon;
  /** Where its covers' colours start, in degrees of OKLCH. */
  readonly hue: number;
}

/** The categories that are offered; the server takes any short lower-case word. */
export const CATEGORIES: readonly Category[] = [
  { key: 'concert', icon: Music4, hue: 300 },
  { key: 'conference', icon: Mic, hue: 262 },
  { key: 'theatre', icon: Drama, hue: 12 },
  { key: 'sport', icon: Dumbbell, hue: 150 },
  { key: 'workshop', icon: Hammer, hue: 48 },
  { key: 'meetup', icon: UsersRound, hue: 205 },
  { key: 'course', icon: GraduationCap, hue: 232 },
  { key: 'festival', icon: PartyPopper, hue: 345 },
  { key: 'community', icon: HeartHandshake, hue: 175 },
  { key: 'other', icon: Shapes, hue: 282 },
];

const OTHER: Category = { key: 'other', icon: Shapes, hue: 282 };

export function categoryOf(key: string): Category {
  return CATEGORIES.find((category) => category.key === key) ?? OTHER;
}

/** The category's name; one that isn't offered is shown as it is written. */
export function categoryName(key: string): string {
  switch (key) {
    case 'concert':
      return t`Concert`;
    case 'conference':
      return t`Conference`;
    case 'theatre':
      return t`Theatre`;
    case 'sport':
      return t`Sport`;
    case 'workshop':
      return t`Workshop`;
    case 'meetup':
      return t`Meetup`;
    case 'course':
      return t`Course`;
    case 'festival':
      return t`Festival`;
    case 'community':
      return t`Community`;
    case 'other':
      return t`Other`;
    default:
      return key.charAt(0).toUpperCase() + key.slice(1);
  }
}
