import { t } from '@lingui/core/macro';
import { useState } from 'react';
import { LeaveGuard } from '@/ui/LeaveGuard';
import { Segmented } from '@/ui/Segmented';
import { InviteForm } from './InviteForm';
import { InviteLists } from './InviteLists';
import { InviteMany } from './InviteMany';
import { useInviteList } from './useInviteList';

/** Inviting, what waits for an answer, and what was answered. */
export function InvitationsTab({ orgId }: { orgId: string }) {
  const [mode, setMode] = useState<'one' | 'many'>('one');
  // What is typed into either form stays while one looks at the other.
  const [email, setEmail] = useState('');
  const list = useInviteList(orgId);
  const typed = email.trim() !== '' || (list.answered === null && list.text.trim() !== '');
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
      {mode === 'one' ? (
        <InviteForm orgId={orgId} email={email} onEmail={setEmail} />
      ) : (
        <InviteMany list={list} />
      )}
      <InviteLists orgId={orgId} />
      <LeaveGuard dirty={typed} />
    </>
  );
}
