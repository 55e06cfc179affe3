import { CSPProvider } from '@base-ui/react/csp-provider';
import { I18nProvider } from '@lingui/react';
import { QueryClientProvider } from '@tanstack/react-query';
import { RouterProvider } from '@tanstack/react-router';
import { lazy, Suspense } from 'react';
import { queryClient } from '@/api/query';
import { i18n } from './i18n';
import { router } from './router';

const Toasts = lazy(() => import('@/ui/Toasts').then((m) => ({ default: m.Toasts })));

/** Everything that screens may rely on. Our policy forbids inline styles, so the primitives add none. */
export function App() {
  return (
    <CSPProvider disableStyleElements>
      <I18nProvider i18n={i18n}>
        <QueryClientProvider client={queryClient}>
          <RouterProvider router={router} />
          <Suspense>
            <Toasts />
          </Suspense>
        </QueryClientProvider>
      </I18nProvider>
    </CSPProvider>
  );
}
