import { Loading, Skeleton } from '@/ui/Skeleton';

/** Stands in while a screen's code is on its way. */
export function PendingScreen() {
  return (
    <Loading className="page py-10">
      <Skeleton className="h-9 w-56" />
      <Skeleton className="mt-6 h-40 w-full rounded-xl" />
      <Skeleton className="mt-4 h-40 w-full rounded-xl" />
    </Loading>
  );
}
