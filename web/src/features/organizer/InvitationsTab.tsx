import { t } from '@lingui/core/macro';
import { useState } from 'react';
import { Segmented } from '@/ui/Segmented';
import { InviteForm } from './InviteForm';
import { InviteLists } from './InviteLists';
import { InviteMany } from './InviteMany';

/** Inviting, what waits for an answer, and what was answered. */
export function InvitationsTab({ orgId }: { orgId: string }) {
  const [mode, setMode] = useState<'one' | 'many'>('one');
  return (
    <>
      <div className="mb-4 flex flex-wrap items-center justify-between gap-3">
        <h2 className="text-lg font-semibold">{t`Invite people`}</h2>
        <Segmented
          label={t`How many`}
          value={mode}
          onChange={setMode}
          options={[
            { value: 'one', label: t`One` },
            { value: 'many', label: t`Many at once` },
          ]}
        />
      </div>
      {mode === 'one' ? <InviteForm orgId={orgId} /> : <InviteMany orgId={orgId} />}
      <InviteLists orgId={orgId} />
    </>
  );
}
