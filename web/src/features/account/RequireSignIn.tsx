import { t } from '@lingui/core/macro';
import { LogIn } from 'lucide-react';
import type { ReactNode } from 'react';
import { signInUrl, useMeQuery } from '@/api/me';
import type { Me } from '@/api/types';
import { Failure } from '@/app/ErrorScreen';
import { PendingScreen } from '@/app/PendingScreen';
import { useTitle } from '@/app/title';
import { buttonClass } from '@/ui/Button';
import { EmptyState } from '@/ui/EmptyState';

/** Shows a screen to whoever is signed in, and to others the way in. */
export function RequireSignIn({ children }: { children: (me: Me) => ReactNode }) {
  const { data: me, error, isError, refetch } = useMeQuery();
  useTitle(me === null ? t`Sign in` : null);
  if (me) return children(me);
  if (me === null) {
    return (
      <div className="page py-10">
        <EmptyState
          page
          icon={LogIn}
          title={t`Sign in to see this`}
          action={
            <a href={signInUrl()} className={buttonClass()}>
              {t`Sign in or create an account`}
            </a>
          }
        >
          {t`You come back right here afterwards.`}
        </EmptyState>
      </div>
    );
  }
  if (isError) return <Failure page error={error} onRetry={() => void refetch()} />;
  return <PendingScreen />;
}
