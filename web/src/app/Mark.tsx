/** The product's mark: an H of two rows and the one seat between them. */
export function Mark() {
  return (
    <svg viewBox="0 0 32 32" aria-hidden="true" className="size-8">
      <rect width="32" height="32" rx="9" className="fill-accent" />
      <g className="fill-on-accent">
        <rect x="7" y="8" width="5" height="16" rx="2.5" />
        <rect x="20" y="8" width="5" height="16" rx="2.5" />
        <circle cx="16" cy="16" r="2.5" />
      </g>
    </svg>
  );
}
