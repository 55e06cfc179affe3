import { t } from '@lingui/core/macro';
import { FileArchive, Trash2 } from 'lucide-react';
import { useState } from 'react';
import { fetchExport, useOwnProvider } from '@/api/profile';
import type { Me } from '@/api/types';
import { explain } from '@/app/explain';
import { Button } from '@/ui/Button';
import { Panel } from '@/ui/Panel';
import { toast } from '@/ui/toast';
import { EraseDialog } from './EraseDialog';
import { saveAs } from './save';

/** Taking one's data along, and leaving for good. */
export function DataSection({ me }: { me: Me }) {
  return (
    <>
      <ExportPanel />
      <ErasePanel me={me} />
    </>
  );
}

function ExportPanel() {
  const [busy, setBusy] = useState(false);
  const download = async () => {
    setBusy(true);
    try {
      saveAs(await fetchExport(), 'happening-export.zip');
      toast('good', t`Your data is downloaded`);
    } catch (error) {
      toast('bad', t`Not downloaded`, explain(error));
    } finally {
      setBusy(false);
    }
  };
  return (
    <Panel
      title={t`Take your data along`}
      lead={t`A zip with everything that is kept about you: profile, organizations, bookings with their history, notifications, settings and devices. Files that people and programs can read.`}
    >
      <Button
        look="secondary"
        className="max-sm:w-full"
        busy={busy}
        icon={<FileArchive aria-hidden="true" className="size-4" />}
        onClick={() => void download()}
      >
        {t`Download my data`}
      </Button>
    </Panel>
  );
}

function ErasePanel({ me }: { me: Me }) {
  const [open, setOpen] = useState(false);
  const { data: own } = useOwnProvider();
  return (
    <Panel
      className="border-bad/40!"
      title={t`Delete your account`}
      lead={t`At once and for good. This is what happens:`}
    >
      <dl className="space-y-3 text-sm">
        {consequences(own ?? true).map(({ what, effect }) => (
          <div key={what} className="grid gap-x-4 sm:grid-cols-[10.5rem_1fr]">
            <dt className="font-semibold">{what}</dt>
            <dd className="text-muted">{effect}</dd>
          </div>
        ))}
      </dl>
      <Button
        look="danger"
        className="max-sm:w-full"
        icon={<Trash2 aria-hidden="true" className="size-4" />}
        onClick={() => setOpen(true)}
      >
        {t`Delete my account`}
      </Button>
      <EraseDialog me={me} open={open} onOpenChange={setOpen} />
    </Panel>
  );
}

function consequences(own: boolean): { what: string; effect: string }[] {
  return [
    {
      what: t`Your bookings`,
      effect: t`Whatever is still to come is cancelled, and your places in line are given up. The seats go on to those who wait.`,
    },
    {
      what: t`Your organizations`,
      effect: t`You leave them all. Events that you made for them stay theirs.`,
    },
    {
      what: t`You`,
      effect: t`Name, address, notifications, settings and devices are erased, and you are signed out everywhere.`,
    },
    {
      what: t`What stays`,
      effect: t`That somebody had a seat at a past event, and that somebody did this or that in an organization, without your name. Organizers see “Deleted account”.`,
    },
    ...(own
      ? []
      : [
          {
            what: t`Your sign-in`,
            effect: t`The account with which you sign in belongs to another service and stays there.`,
          },
        ]),
  ];
}
