import { t } from '@lingui/core/macro';
import { Sparkles, X } from 'lucide-react';
import { useEffect, useState } from 'react';
import { useMyInvites } from '@/api/organizations';
import { ButtonLink, IconButton } from '@/ui/Button';
import { Card } from '@/ui/Card';
import { isOffered, markOffered } from './offered';

/**
 * Tells a newcomer that one can run events here, too. It stands where nobody
 * has come to book something in particular, is shown on one visit only, and
 * not to whom an invitation already shows the way into an organization.
 */
export function OrganizerOffer({ userId }: { userId: string }) {
  const [open, setOpen] = useState(() => !isOffered(userId));
  const invites = useMyInvites(open);
  const visible = open && invites.data?.items.length === 0;
  useEffect(() => {
    if (visible) markOffered(userId);
  }, [visible, userId]);
  if (!visible) return null;
  return (
    <Card className="mt-6 flex items-start gap-4 p-4 sm:items-center sm:p-5">
      <span
        aria-hidden="true"
        className="grid size-10 shrink-0 place-items-center rounded-md bg-accent-soft text-accent-ink"
      >
        <Sparkles className="size-5" />
      </span>
      <section
        aria-labelledby="organizer-offer"
        className="flex min-w-0 flex-1 flex-wrap items-center gap-x-6 gap-y-3"
      >
        <div className="min-w-0 flex-1 basis-64">
          <h2 id="organizer-offer" className="font-semibold">{t`Welcome! Do you run events yourself?`}</h2>
          <p className="mt-0.5 text-sm text-muted">
            {t`Create an organization for them. You find this later in the account menu, too.`}
          </p>
        </div>
        <ButtonLink to="/manage" look="secondary">{t`Create your organization`}</ButtonLink>
      </section>
      <IconButton label={t`Not now`} className="-m-1.5" onClick={() => setOpen(false)}>
        <X aria-hidden="true" className="size-5" />
      </IconButton>
    </Card>
  );
}
