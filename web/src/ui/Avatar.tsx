import { cx } from './classes';

const HUES = [282, 320, 20, 60, 150, 195, 235];

// A character as people see it may be several code points, such as a flag or a
// letter with its accents. Not every browser that we serve can part them.
const SEEN = 'Segmenter' in Intl ? new Intl.Segmenter(undefined, { granularity: 'grapheme' }) : null;

function firstOf(word: string): string {
  if (SEEN) for (const { segment } of SEEN.segment(word)) return segment;
  return [...word][0] ?? '';
}

/** The first characters of a name's first two words. */
export function initialsOf(name: string): string {
  return name.trim().split(/\s+/).slice(0, 2).map(firstOf).join('').toUpperCase();
}

/** A person's or organization's initials on a colour that is always theirs, or on one that they chose. */
export function Avatar({
  name,
  seed,
  chosen,
  className,
}: {
  name: string;
  seed: string;
  chosen?: { readonly fill: string; readonly text: string } | undefined;
  className?: string;
}) {
  const initials = initialsOf(name);
  let hash = 0;
  for (const c of seed) hash = (hash * 31 + c.charCodeAt(0)) >>> 0;
  const hue = HUES[hash % HUES.length] ?? 282;
  return (
    <svg viewBox="0 0 40 40" aria-hidden="true" className={cx('size-9 shrink-0 rounded-full', className)}>
      <rect width="40" height="40" fill={chosen?.fill ?? `oklch(0.5 0.14 ${hue})`} />
      <text
        x="20"
        y="20.5"
        fill={chosen?.text ?? 'white'}
        fontSize="15"
        fontWeight="650"
        textAnchor="middle"
        dominantBaseline="central"
      >
        {initials}
      </text>
    </svg>
  );
}
