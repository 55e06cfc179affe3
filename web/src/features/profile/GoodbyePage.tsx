import { t } from '@lingui/core/macro';
import { Navigate } from '@tanstack/react-router';
import { Leaf } from 'lucide-react';
import { useMe } from '@/api/me';
import { useTitle } from '@/app/title';
import { ButtonLink } from '@/ui/Button';
import { EmptyState } from '@/ui/EmptyState';

/** The last screen for whoever had everything about them erased. */
export function GoodbyePage() {
  useTitle(t`Goodbye`);
  // Somebody who is signed in hasn't left.
  if (useMe()) return <Navigate to="/" replace />;
  return (
    <div className="page py-16">
      <EmptyState
        page
        icon={Leaf}
        title={t`Goodbye, and thank you`}
        action={<ButtonLink to="/" look="secondary">{t`Look around as a visitor`}</ButtonLink>}
      >
        {t`Your account is deleted. Your seats go on to others, and nothing here carries your name any more. You are welcome back whenever you like.`}
      </EmptyState>
    </div>
  );
}
