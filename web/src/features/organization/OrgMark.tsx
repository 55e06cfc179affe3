import { Avatar } from '@/ui/Avatar';
import { cx } from '@/ui/classes';
import { readColour, textOn } from './colour';

/** Where the browser finds a logo, whose address the API tells relative to its own root. */
export function logoAddress(logoUrl: string): string {
  return `/api/${logoUrl}`;
}

/** An organization's logo, or its initials. Its name always stands beside it. */
export function OrgMark({
  org,
  className,
}: {
  org: {
    id: string;
    name: string;
    logo_url?: string | null | undefined;
    color?: string | null | undefined;
  };
  className?: string;
}) {
  if (!org.logo_url) {
    const colour = org.color ? readColour(org.color) : null;
    const chosen = colour ? { fill: colour, text: textOn(colour) } : undefined;
    return (
      <Avatar
        name={org.name}
        seed={org.id}
        chosen={chosen}
        // A colour that people choose may be the page's own.
        className={cx('rounded-[28%]!', chosen && 'border border-line', className)}
      />
    );
  }
  return (
    // Logos are drawn for paper; many would vanish on a dark page.
    <span
      className={cx(
        'grid size-9 shrink-0 place-items-center overflow-hidden rounded-[28%] border border-line bg-white',
        className,
      )}
    >
      <img
        src={logoAddress(org.logo_url)}
        alt=""
        className="size-[88%] object-contain"
        loading="lazy"
        decoding="async"
      />
    </span>
  );
}
