import { t } from '@lingui/core/macro';
import { useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import {
  Armchair,
  Ban,
  Building2,
  CalendarCog,
  CalendarPlus,
  CalendarX2,
  ChevronDown,
  CircleDot,
  Hourglass,
  LayoutGrid,
  type LucideIcon,
  MailPlus,
  MailX,
  PartyPopper,
  ShieldX,
  Ticket,
  TicketX,
  UserCog,
  UserMinus,
  UserPlus,
} from 'lucide-react';
import { useId, useState } from 'react';
import { eventDetail } from '@/api/events';
import { useHouse } from '@/api/houses';
import type { AuditEntry } from '@/api/types';
import { moment, timeOfDay } from '@/lib/format';
import type { House } from '@/seatmap/house';
import { TONES, type Tone } from '@/ui/Badge';
import { cx } from '@/ui/classes';
import type { Only } from './AuditList';
import {
  actorName,
  bookingOf,
  differencesOf,
  namesSeats,
  piecesOf,
  sentenceOf,
  untoldOf,
} from './auditWords';

// A newer server may know of more.
const OTHER: { icon: LucideIcon; tone: Tone } = { icon: CircleDot, tone: 'neutral' };
const LOOKS: Record<AuditEntry['action'], typeof OTHER> = {
  'org.created': { icon: Building2, tone: 'good' },
  'org.updated': { icon: Building2, tone: 'accent' },
  'org.deleted': { icon: Building2, tone: 'bad' },
  'org.suspended': { icon: ShieldX, tone: 'bad' },
  'org.resumed': { icon: Building2, tone: 'good' },
  'invite.created': { icon: MailPlus, tone: 'accent' },
  'invite.resent': { icon: MailPlus, tone: 'neutral' },
  'invite.revoked': { icon: MailX, tone: 'warn' },
  'invite.rejected': { icon: MailX, tone: 'warn' },
  'member.joined': { icon: UserPlus, tone: 'good' },
  'member.role_changed': { icon: UserCog, tone: 'accent' },
  'member.removed': { icon: UserMinus, tone: 'bad' },
  'member.left': { icon: UserMinus, tone: 'neutral' },
  'member.erased': { icon: UserMinus, tone: 'neutral' },
  'event.created': { icon: CalendarPlus, tone: 'good' },
  'event.updated': { icon: CalendarCog, tone: 'accent' },
  'event.cancelled': { icon: CalendarX2, tone: 'bad' },
  'event.deleted': { icon: CalendarX2, tone: 'bad' },
  'event.layout_changed': { icon: LayoutGrid, tone: 'accent' },
  'event.blocks_changed': { icon: Ban, tone: 'warn' },
  'event.booked_for': { icon: Ticket, tone: 'good' },
  'event.booking_cancelled': { icon: TicketX, tone: 'warn' },
  'event.seats_cancelled': { icon: TicketX, tone: 'neutral' },
  'event.booking_moved': { icon: Armchair, tone: 'accent' },
  'event.booking_promoted': { icon: PartyPopper, tone: 'good' },
  'event.party_resized': { icon: Hourglass, tone: 'neutral' },
};

/** One line of the record; before and after open below it. */
export function AuditRow({
  entry,
  house,
  onOnly,
}: {
  entry: AuditEntry;
  house?: House | null | undefined;
  onOnly?: Only | undefined;
}) {
  const [open, setOpen] = useState(false);
  const id = useId();
  const { icon: Icon, tone } = LOOKS[entry.action] ?? OTHER;
  return (
    <li>
      <button
        type="button"
        aria-expanded={open}
        aria-controls={open ? id : undefined}
        onClick={() => setOpen(!open)}
        className="flex w-full items-start gap-3.5 px-4 py-3.5 text-left transition-colors hover:bg-sunken/60 focus-visible:outline-offset-[-3px]"
      >
        <span
          aria-hidden="true"
          className={cx('grid size-9 shrink-0 place-items-center rounded-full', TONES[tone])}
        >
          <Icon className="size-[1.15rem]" />
        </span>
        <span className="min-w-0 flex-1 self-center text-sm wrap-anywhere">
          {piecesOf(sentenceOf(entry)).map((piece) =>
            piece.named ? (
              <bdi key={piece.at} className="font-semibold">
                {piece.text}
              </bdi>
            ) : (
              <span key={piece.at}>{piece.text}</span>
            ),
          )}
        </span>
        <time
          dateTime={entry.at}
          title={moment(entry.at)}
          className="shrink-0 self-center text-sm text-muted"
        >
          {timeOfDay(entry.at)}
        </time>
        <ChevronDown
          aria-hidden="true"
          className={cx('size-4 shrink-0 self-center text-muted transition-transform', open && 'rotate-180')}
        />
      </button>
      {open ? <Details id={id} entry={entry} house={house} onOnly={onOnly} /> : null}
    </li>
  );
}

// The record of an organization is of many events: how the seats of one are
// called is asked for once an entry that names some is opened.
function useHouseOf(entry: AuditEntry, known: House | null | undefined): House | null | undefined {
  const ask = known === undefined && entry.subject?.kind === 'event' && namesSeats(entry);
  const { data: event } = useQuery({ ...eventDetail(entry.subject_id), enabled: ask });
  const asked = useHouse(ask ? event : undefined);
  return known === undefined ? asked : known;
}

function Details({
  id,
  entry,
  house,
  onOnly,
}: {
  id: string;
  entry: AuditEntry;
  house: House | null | undefined;
  onOnly: Only | undefined;
}) {
  const differences = differencesOf(entry, useHouseOf(entry, house));
  const untold = untoldOf(entry);
  const { actor, subject_id: subjectId } = entry;
  const who = actorName(entry);
  const bookingId = bookingOf(entry);
  return (
    <div id={id} className="space-y-3 px-4 pb-4 text-sm sm:pl-[4.125rem]">
      {differences.length > 0 ? (
        <div className="overflow-x-auto">
          <table className="w-full min-w-80 border-collapse">
            <thead>
              <tr className="text-left text-xs text-muted">
                <th scope="col" className="py-1 pr-4 font-semibold">
                  {t`Setting`}
                </th>
                <th scope="col" className="py-1 pr-4 font-semibold">
                  {t`Before`}
                </th>
                <th scope="col" className="py-1 font-semibold">
                  {t`After`}
                </th>
              </tr>
            </thead>
            <tbody>
              {differences.map(({ key, label, before, after }) => (
                <tr key={key} className="border-t border-line align-top">
                  <th scope="row" className="py-1.5 pr-4 text-left font-medium">
                    {label}
                  </th>
                  <td className="py-1.5 pr-4 wrap-anywhere text-muted">{before ?? '–'}</td>
                  <td className="py-1.5 wrap-anywhere">{after ?? '–'}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      ) : null}
      {untold.length > 0 ? (
        <p className="text-muted">{t`Changed, without the record keeping how: ${untold.join(', ')}.`}</p>
      ) : null}
      <p className="text-muted">{moment(entry.at)}</p>
      {bookingId ? (
        <Link
          to="/bookings/$bookingId"
          params={{ bookingId }}
          className="inline-block rounded-sm font-semibold text-accent-ink underline-offset-4 hover:underline"
        >
          {t`See the booking`}
        </Link>
      ) : null}
      {onOnly ? (
        <div className="flex flex-wrap gap-x-5 gap-y-1">
          {actor ? (
            <OnlyButton onPress={() => onOnly({ actor: actor.id })}>{t`Only what ${who} did`}</OnlyButton>
          ) : null}
          <OnlyButton onPress={() => onOnly({ subject: subjectId })}>{t`Only what is about this`}</OnlyButton>
        </div>
      ) : null}
    </div>
  );
}

function OnlyButton({ onPress, children }: { onPress: () => void; children: string }) {
  return (
    <button
      type="button"
      onClick={onPress}
      className="min-h-8 rounded-sm text-left font-semibold text-accent-ink underline-offset-4 hover:underline"
    >
      {children}
    </button>
  );
}
