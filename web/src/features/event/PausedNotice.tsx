import { t } from '@lingui/core/macro';
import { useState } from 'react';
import { Notice } from '@/ui/Notice';

/**
 * Says at the map that holds and live updates are interrupted. The region
 * stands before there is anything in it, so that a reader tells each change,
 * once; that it is over is seen by the notice's going, and only has to be heard.
 */
export function PausedNotice({ paused }: { paused: boolean }) {
  const [known, setKnown] = useState(false);
  if (paused && !known) setKnown(true);
  return (
    <div role="status">
      {paused ? (
        <Notice tone="accent" className="mb-4" title={t`Live seat choosing is paused`}>
          {t`You can still choose and book. Seats aren't held meanwhile; they are yours once you book.`}
        </Notice>
      ) : known ? (
        <p className="sr-only">{t`Live seat choosing goes on.`}</p>
      ) : null}
    </div>
  );
}
