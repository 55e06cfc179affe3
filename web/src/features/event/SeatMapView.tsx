import { t } from '@lingui/core/macro';
import { Maximize, Minus, Plus } from 'lucide-react';
import { useEffect, useRef, useState } from 'react';
import { useIsDark } from '@/app/theme';
import {
  isChoosable,
  type Layout,
  type Look,
  type Mine,
  type Point,
  SeatMap,
  type Seats,
  seatName,
} from '@/seatmap';
import { Legend } from './Legend';
import { lookName } from './looks';
import { SeatGridTwin } from './SeatGridTwin';
import { seatThemeFor } from './seatTheme';

interface Props {
  layout: Layout;
  seats: Seats;
  looks: Uint8Array;
  mine: Mine;
  canPick: boolean;
  /** What can be pressed; by default what can be booked or given back. */
  choosable?: (look: Look) => boolean;
  /** What Space does, for whoever can't see it; by default choosing a seat. */
  deed?: string;
  /** The looks that the legend explains. */
  legend: readonly Look[];
  onSeat: (seat: number) => void;
}

/**
 * The hall, drawn on a canvas for the eye and the finger. For the keyboard and
 * the ear a grid of the current section lies under it; its focus is drawn here.
 */
export function SeatMapView({
  layout,
  seats,
  looks,
  mine,
  canPick,
  choosable = isChoosable,
  deed,
  legend,
  onSeat,
}: Props) {
  const host = useRef<HTMLDivElement>(null);
  const map = useRef<SeatMap | null>(null);
  const press = useRef({ onSeat, canPick, choosable });
  const dark = useIsDark();
  const firstTheme = useRef(seatThemeFor(dark));
  const [hover, setHover] = useState<{ seat: number; at: Point } | null>(null);

  useEffect(() => {
    press.current = { onSeat, canPick, choosable };
  });

  useEffect(() => {
    if (!host.current) return undefined;
    const made = new SeatMap(host.current, {
      theme: firstTheme.current,
      stageLabel: t`Stage`,
      onSeat: (seat) => press.current.onSeat(seat),
      onHover: (seat, at) => setHover(seat === undefined ? null : { seat, at }),
      choosable: (look) => press.current.canPick && press.current.choosable(look),
      reducedMotion: window.matchMedia('(prefers-reduced-motion: reduce)').matches,
    });
    map.current = made;
    return () => {
      map.current = null;
      made.destroy();
    };
  }, []);

  useEffect(() => {
    map.current?.show(layout, seats, mine);
  }, [layout, seats, mine]);

  useEffect(() => {
    firstTheme.current = seatThemeFor(dark);
    map.current?.setTheme(firstTheme.current);
  }, [dark]);

  return (
    <div className="overflow-hidden rounded-xl border border-line bg-surface shadow-card">
      <div className="relative">
        <div
          ref={host}
          className="max-h-[min(30rem,64dvh)] min-h-56 w-full touch-none"
          style={{ aspectRatio: `${layout.bounds.width} / ${layout.bounds.height}` }}
          data-testid="seat-map"
        />
        {hover ? (
          <HoverLabel layout={layout} seat={hover.seat} look={looks[hover.seat - 1]} at={hover.at} />
        ) : null}
        <SeatGridTwin
          layout={layout}
          looks={looks}
          canPick={canPick}
          choosable={choosable}
          deed={deed}
          onSeat={onSeat}
          onFocusSeat={(seat) => map.current?.setFocus(seat)}
        />
      </div>
      <div className="flex flex-wrap items-center justify-between gap-x-4 gap-y-2 border-t border-line py-2 pr-2 pl-5 sm:flex-nowrap">
        <Legend dark={dark} shown={legend} />
        <div className="ml-auto flex">
          <MapButton label={t`Zoom in`} onPress={() => map.current?.zoomIn()} icon={<Plus />} />
          <MapButton label={t`Zoom out`} onPress={() => map.current?.zoomOut()} icon={<Minus />} />
          <MapButton label={t`Show the whole hall`} onPress={() => map.current?.fit()} icon={<Maximize />} />
        </div>
      </div>
    </div>
  );
}

function MapButton({ label, onPress, icon }: { label: string; onPress: () => void; icon: React.ReactNode }) {
  return (
    <button
      type="button"
      aria-label={label}
      title={label}
      onClick={onPress}
      className="grid size-11 place-items-center rounded-md text-muted transition-colors hover:bg-sunken hover:text-ink [&>svg]:size-4.5"
    >
      {icon}
    </button>
  );
}

/** Nearer to the map's top than this (pixels) the label stands below the mouse, where it is not cut off. */
const LABEL_ROOM_PX = 76;

function HoverLabel({
  layout,
  seat,
  look,
  at,
}: {
  layout: Layout;
  seat: number;
  look: number | undefined;
  at: Point;
}) {
  const name = seatName(layout, seat);
  if (!name || look === undefined) return null;
  return (
    <div
      aria-hidden="true"
      className="floating pointer-events-none absolute z-10 w-max max-w-60 px-3 py-1.5 text-sm wrap-anywhere"
      style={{
        left: `clamp(7.5rem, ${at.x}px, calc(100% - 7.5rem))`,
        top: at.y,
        transform: `translate(-50%, ${at.y < LABEL_ROOM_PX ? '22px' : 'calc(-100% - 14px)'})`,
      }}
    >
      {name.section ? <span className="block text-xs text-muted">{name.section}</span> : null}
      <span className="font-semibold">{t`Row ${name.row} · Seat ${name.seat}`}</span>{' '}
      <span className="text-muted">{lookName(look as Look)}</span>
    </div>
  );
}
