import { t } from '@lingui/core/macro';
import { useQueryErrorResetBoundary } from '@tanstack/react-query';
import { type ErrorComponentProps, useRouter } from '@tanstack/react-router';
import { CloudOff, Compass, LogIn, ShieldX } from 'lucide-react';
import type { ReactNode } from 'react';
import { signInUrl } from '@/api/me';
import { ApiError, isNotFound } from '@/api/problem';
import { Button, ButtonLink, buttonClass } from '@/ui/Button';
import { EmptyState } from '@/ui/EmptyState';
import { useTitle } from './title';

/** A screen failed: what one can do depends on why. */
export function ErrorScreen({ error, reset }: ErrorComponentProps) {
  const router = useRouter();
  const boundary = useQueryErrorResetBoundary();
  const again = () => {
    boundary.reset();
    reset();
    void router.invalidate();
  };
  return (
    <div className="page py-10">
      <Failure page error={error} onRetry={again} />
    </div>
  );
}

/** The same for a part of a screen. */
export function Failure({
  error,
  onRetry,
  what,
  page,
}: {
  error: unknown;
  onRetry?: () => void;
  what?: string;
  /** Nothing else is on the screen. */
  page?: boolean;
}): ReactNode {
  if (isNotFound(error)) return <NotFoundScreen />;
  if (error instanceof ApiError && error.status === 401) {
    return (
      <EmptyState
        page={page ?? false}
        icon={LogIn}
        title={t`Sign in to go on`}
        action={
          <a href={signInUrl()} className={buttonClass()}>
            {t`Sign in`}
          </a>
        }
      >
        {t`You were signed out, or this needs an account.`}
      </EmptyState>
    );
  }
  if (error instanceof ApiError && error.status === 403) {
    return (
      <EmptyState
        page={page ?? false}
        icon={ShieldX}
        title={t`Not yours to open`}
        action={<ButtonLink to="/">{t`Discover events`}</ButtonLink>}
      >
        {t`You are signed in, but your account is not allowed to see this.`}
      </EmptyState>
    );
  }
  const offline = error instanceof ApiError && error.status === 0;
  return (
    <div role="alert">
      <EmptyState
        page={page ?? false}
        icon={CloudOff}
        title={offline ? t`We can't reach the server` : t`This didn't work`}
        action={onRetry ? <Button onClick={onRetry}>{t`Try again`}</Button> : undefined}
      >
        {offline
          ? t`Check your connection. Nothing was changed.`
          : (what ?? t`Something went wrong on our side. Trying again often helps.`)}
      </EmptyState>
    </div>
  );
}

/** An address that leads nowhere, or to what one may not know of. */
export function NotFoundScreen() {
  useTitle(t`Nothing here`);
  return (
    <div className="page py-10">
      <EmptyState
        page
        icon={Compass}
        title={t`There is nothing here`}
        action={<ButtonLink to="/">{t`Discover events`}</ButtonLink>}
      >
        {t`The page may have moved, or it is only for members who are signed in.`}
      </EmptyState>
    </div>
  );
}
