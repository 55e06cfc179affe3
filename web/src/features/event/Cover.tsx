import { type ReactNode, useId } from 'react';
import { categoryOf } from '@/features/discover/categories';
import { cx } from '@/ui/classes';

const W = 640;
const H = 360;

/**
 * A picture for an event that has none: always the same for the same event,
 * with its category's colours and one of five patterns chosen by its id.
 */
export function Cover({ id, category, className }: { id: string; category: string; className?: string }) {
  const key = useId();
  const { hue, icon: Icon } = categoryOf(category);
  const random = generator(id);
  const shift = (random() - 0.5) * 36;
  const near = hue + shift;
  const far = near + 38 + random() * 42;
  const angle = Math.round(random() * 50) + 15;
  const pattern = PATTERNS[Math.floor(random() * PATTERNS.length)] ?? rings;
  return (
    <span className={cx('relative block size-full', className)}>
      <svg
        viewBox={`0 0 ${W} ${H}`}
        preserveAspectRatio="xMaxYMax slice"
        aria-hidden="true"
        className="absolute inset-0 size-full"
      >
        <defs>
          <linearGradient id={`${key}a`} gradientTransform={`rotate(${angle} 0.5 0.5)`}>
            <stop offset="0" stopColor={`oklch(0.44 0.17 ${near})`} />
            <stop offset="0.55" stopColor={`oklch(0.56 0.19 ${near + 16})`} />
            <stop offset="1" stopColor={`oklch(0.7 0.15 ${far})`} />
          </linearGradient>
          <radialGradient id={`${key}b`} cx={0.15 + random() * 0.7} cy={random() * 0.4} r="0.8">
            <stop offset="0" stopColor="white" stopOpacity="0.28" />
            <stop offset="1" stopColor="white" stopOpacity="0" />
          </radialGradient>
        </defs>
        <rect width={W} height={H} fill={`url(#${key}a)`} />
        <g fill="none" stroke="white">
          {pattern(random)}
        </g>
        <rect width={W} height={H} fill={`url(#${key}b)`} />
      </svg>
      {/* The pattern may be cut to any shape; the icon keeps a share of the shorter side. */}
      <svg
        aria-hidden="true"
        viewBox="0 0 100 100"
        preserveAspectRatio="xMaxYMax meet"
        className="absolute inset-0 size-full"
      >
        <Icon x={48} y={48} width={42} height={42} color="white" strokeWidth={1} opacity={0.34} />
      </svg>
    </span>
  );
}

type Random = () => number;

function rings(random: Random): ReactNode {
  const x = W * (0.1 + random() * 0.5);
  const y = H * (0.2 + random() * 0.9);
  return Array.from({ length: 9 }, (_, i) => (
    <circle
      key={radius(i)}
      cx={x}
      cy={y}
      r={radius(i)}
      strokeOpacity={0.3 - i * 0.028}
      strokeWidth={2 + i * 0.6}
    />
  ));
}

function radius(i: number): number {
  return 34 + i * 38;
}

function waves(random: Random): ReactNode {
  const amplitude = 18 + random() * 26;
  const length = 150 + random() * 90;
  return Array.from({ length: 10 }, (_, i) => {
    const y = 20 + i * 38;
    let d = `M ${-length} ${y}`;
    for (let x = -length; x < W + length; x += length) {
      d += ` q ${length / 4} ${-amplitude} ${length / 2} 0 t ${length / 2} 0`;
    }
    return <path key={y} d={d} strokeOpacity={0.1 + i * 0.018} strokeWidth={1.5 + i * 0.35} />;
  });
}

function dots(random: Random): ReactNode {
  const cx = W * random();
  const cy = H * random();
  const out: ReactNode[] = [];
  for (let y = 16; y < H; y += 30) {
    for (let x = 16; x < W; x += 30) {
      const distance = Math.hypot(x - cx, y - cy) / W;
      const r = Math.max(1, 9 * (1 - distance * 1.25));
      out.push(<circle key={`${x},${y}`} cx={x} cy={y} r={r} fill="white" fillOpacity={0.2} stroke="none" />);
    }
  }
  return out;
}

function rays(random: Random): ReactNode {
  const x = W * (0.2 + random() * 0.6);
  return Array.from({ length: 12 }, (_, i) => {
    const from = Math.PI + (i / 12) * Math.PI;
    const to = from + Math.PI / 26;
    const reach = 900;
    const d = `M ${x} ${H + 40} L ${x + Math.cos(from) * reach} ${H + 40 + Math.sin(from) * reach} L ${x + Math.cos(to) * reach} ${H + 40 + Math.sin(to) * reach} Z`;
    return <path key={from} d={d} fill="white" fillOpacity={0.1 + (i % 3) * 0.035} stroke="none" />;
  });
}

function hills(random: Random): ReactNode {
  return Array.from({ length: 4 }, (_, i) => {
    const y = H * (0.38 + i * 0.16);
    const bend = 60 + random() * 70;
    const mid = W * (0.3 + random() * 0.4);
    const d = `M 0 ${y} Q ${mid / 2} ${y - bend} ${mid} ${y} T ${W} ${y - 10} V ${H} H 0 Z`;
    return <path key={y} d={d} fill="white" fillOpacity={0.1} stroke="none" />;
  });
}

const PATTERNS = [rings, waves, dots, rays, hills];

// A small seeded generator (mulberry32, by Tommy Ettinger), so that the same id
// gives the same picture in every browser.
function generator(seed: string): Random {
  let a = 2166136261;
  for (let i = 0; i < seed.length; i++) a = Math.imul(a ^ seed.charCodeAt(i), 16777619);
  return () => {
    a = (a + 0x6d2b79f5) | 0;
    let z = Math.imul(a ^ (a >>> 15), 1 | a);
    z = (z + Math.imul(z ^ (z >>> 7), 61 | z)) ^ z;
    return ((z ^ (z >>> 14)) >>> 0) / 4294967296;
  };
}
