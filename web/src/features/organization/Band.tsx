import { useId } from 'react';
import { cx } from '@/ui/classes';
import { readColour } from './colour';

const W = 1200;
const H = 300;
const RINGS = 11;
/** The product's own, for who chose none. */
const OWN_COLOUR = '#4f46e5';

/** A strip of an organization's colour with rings that are always the same for it. Nothing is written on it. */
export function Band({ id, colour, className }: { id: string; colour: string | null; className?: string }) {
  const key = useId();
  const fill = (colour && readColour(colour)) || OWN_COLOUR;
  const [a, b, c] = placesOf(id);
  return (
    <svg
      viewBox={`0 0 ${W} ${H}`}
      preserveAspectRatio="xMidYMid slice"
      aria-hidden="true"
      className={cx('block w-full', className)}
    >
      <defs>
        <linearGradient id={key} x1="0" y1="0" x2="1" y2="1">
          <stop offset="0" stopColor="white" stopOpacity="0.22" />
          <stop offset="0.5" stopColor="white" stopOpacity="0" />
          <stop offset="1" stopColor="black" stopOpacity="0.34" />
        </linearGradient>
      </defs>
      <rect width={W} height={H} fill={fill} />
      <rect width={W} height={H} fill={`url(#${key})`} />
      <g fill="none" stroke="white">
        {Array.from({ length: RINGS }, (_, i) => 46 + i * 44).map((r) => (
          <circle
            key={r}
            cx={W * (0.55 + a * 0.4)}
            cy={H * (b - 0.1)}
            r={r}
            strokeOpacity={0.34 - r / 1900}
            strokeWidth={1.5 + r / 110}
            strokeDasharray={c > 0.5 ? `${r / 3} ${10 + r / 14}` : undefined}
          />
        ))}
      </g>
    </svg>
  );
}

// Three numbers from 0 to 1 by an FNV-1a hash, so that an organization's band
// looks the same in every browser.
function placesOf(id: string): [number, number, number] {
  let hash = 2166136261;
  const next = () => {
    for (const char of id) hash = Math.imul(hash ^ char.charCodeAt(0), 16777619);
    return (hash >>> 0) / 4294967296;
  };
  return [next(), next(), next()];
}
