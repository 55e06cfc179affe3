import Markdown from 'markdown-to-jsx';

// Written by organizers, read by everybody: HTML stays text, pictures from
// elsewhere are not loaded (they would tell a third party who reads), and
// headings go below the page's own.
const OPTIONS = {
  disableParsingRawHTML: true,
  forceBlock: true,
  wrapper: null,
  overrides: {
    h1: { component: 'h3' },
    h2: { component: 'h3' },
    h3: { component: 'h4' },
    h4: { component: 'h5' },
    h5: { component: 'h6' },
    a: { component: OutLink },
    img: { component: PictureName },
    iframe: { component: Nothing },
  },
} as const;

/** An event's description from Markdown. */
export function Description({ text }: { text: string }) {
  return (
    <div className="prose-plain leading-relaxed text-ink/90 [overflow-wrap:anywhere]">
      <Markdown options={OPTIONS}>{text}</Markdown>
    </div>
  );
}

function OutLink({ href, children }: { href?: string; children?: React.ReactNode }) {
  const safe = href && /^(https?:|mailto:|tel:|\/(?!\/)|#)/i.test(href);
  if (!safe) return <span>{children}</span>;
  return (
    <a
      href={href}
      rel="noopener noreferrer nofollow ugc"
      target={href.startsWith('http') ? '_blank' : undefined}
    >
      {children}
    </a>
  );
}

function PictureName({ alt }: { alt?: string }) {
  return alt ? <em>{alt}</em> : null;
}

function Nothing() {
  return null;
}
