// The fields of an event's form in words, for telling what somebody else changed.
import { t } from '@lingui/core/macro';
import { categoryName } from '@/features/discover/categories';
import { longDate, timeOfDay } from '@/lib/format';
import type { EventForm } from './eventForm';

export function eventFieldName(field: keyof EventForm): string {
  switch (field) {
    case 'name':
      return t`Name`;
    case 'category':
      return t`Category`;
    case 'description':
      return t`Description`;
    case 'venue':
      return t`Venue`;
    case 'starts':
      return t`Starts`;
    case 'ends':
      return t`Ends`;
    case 'timeZone':
      return t`Time zone`;
    case 'totalSlots':
      return t`Seats`;
    case 'maxSeatsPerUser':
      return t`Most seats per person`;
    case 'visibility':
      return t`Who can see and book it`;
    case 'waitlistPolicy':
      return t`When it is sold out`;
    case 'waitlistLimit':
      return t`Longest waitlist`;
  }
}

/** What stands in a field, as people read it. */
export function eventFieldText(field: keyof EventForm, value: string): string {
  switch (field) {
    case 'category':
      return categoryName(value);
    case 'starts':
    case 'ends': {
      // It is the clock on the wall there already; no zone may move it.
      const at = `${value}:00Z`;
      return value === '' ? t`emptied` : `${longDate(at, 'UTC')}, ${timeOfDay(at, 'UTC')}`;
    }
    case 'timeZone':
      return value.replaceAll('_', ' ');
    case 'maxSeatsPerUser':
      return value === '' ? t`no limit` : value;
    case 'visibility':
      return value === 'members' ? t`Members only` : t`Everybody`;
    case 'waitlistPolicy':
      return value === 'fit' ? t`First that fits` : t`Strict order`;
    case 'waitlistLimit':
      return value === '' ? t`no limit` : value === '0' ? t`no waitlist` : value;
    default:
      return value === '' ? t`emptied` : value;
  }
}
