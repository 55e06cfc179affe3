import { useEffect, useRef } from 'react';
import { drawSeat, type Look } from '@/seatmap';
import { lookName } from './looks';
import { seatThemeFor } from './seatTheme';

const SIZE = 20;

/** What the seats' shapes mean, drawn by the same hand as the map's. */
export function Legend({ dark, shown }: { dark: boolean; shown: readonly Look[] }) {
  return (
    <ul className="flex flex-wrap gap-x-5 gap-y-1.5 py-1 text-sm text-muted">
      {shown.map((look) => (
        <li key={look} className="flex items-center gap-2">
          <Glyph look={look} dark={dark} />
          {lookName(look)}
        </li>
      ))}
    </ul>
  );
}

function Glyph({ look, dark }: { look: Look; dark: boolean }) {
  const ref = useRef<HTMLCanvasElement>(null);
  useEffect(() => {
    const canvas = ref.current;
    const c = canvas?.getContext('2d');
    if (!canvas || !c) return;
    const ratio = Math.max(1, window.devicePixelRatio);
    canvas.width = canvas.height = SIZE * ratio;
    c.scale(ratio, ratio);
    drawSeat(c, look, SIZE / 2, SIZE / 2, SIZE / 2 - 1.5, seatThemeFor(dark));
  }, [look, dark]);
  return (
    <span aria-hidden="true" className="size-5">
      <canvas ref={ref} className="size-5" />
    </span>
  );
}
