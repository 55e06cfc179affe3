import { t } from '@lingui/core/macro';
import { ImageUp } from 'lucide-react';
import { type DragEvent, useRef, useState } from 'react';
import { useDeleteLogo, usePutLogo } from '@/api/organizations';
import { ApiError } from '@/api/problem';
import type { Organization } from '@/api/types';
import { explain } from '@/app/explain';
import { logoAddress, OrgMark } from '@/features/organization/OrgMark';
import { Button } from '@/ui/Button';
import { cx } from '@/ui/classes';
import { Notice } from '@/ui/Notice';
import { Panel } from '@/ui/Panel';
import { toast } from '@/ui/toast';

const TYPES = ['image/png', 'image/jpeg', 'image/webp'];
const MAX_BYTES = 2 * 1024 * 1024;

interface Chosen {
  readonly file: File;
  /** The picture itself, as an address. */
  readonly shown: string;
}

/** The logo: a picture is chosen or dropped, looked at, and only then published. */
export function LogoEditor({ org, onChanged }: { org: Organization; onChanged: () => void }) {
  const put = usePutLogo(org.id);
  const remove = useDeleteLogo(org.id);
  const input = useRef<HTMLInputElement>(null);
  const [chosen, setChosen] = useState<Chosen | null>(null);
  const [problem, setProblem] = useState<string | null>(null);
  const [over, setOver] = useState(false);

  const choose = (file: File | undefined) => {
    if (!file) return;
    setChosen(null);
    setProblem(wrongWith(file));
    if (wrongWith(file) !== null) return;
    readPicture(file).then(
      (shown) => setChosen({ file, shown }),
      () => setProblem(t`This file is no picture that we can read.`),
    );
  };
  const drop = (e: DragEvent) => {
    e.preventDefault();
    setOver(false);
    choose(e.dataTransfer.files[0]);
  };
  const publish = () => {
    if (!chosen) return;
    put.mutate(chosen.file, {
      onSuccess: () => {
        setChosen(null);
        toast('good', t`The new logo is in use`);
        onChanged();
      },
      onError: (error) => setProblem(refusal(error)),
    });
  };
  const takeAway = () =>
    remove.mutate(undefined, {
      onSuccess: () => {
        toast('good', t`The logo is removed`);
        onChanged();
      },
      onError: (error) => setProblem(explain(error)),
    });
  const shown = chosen?.shown ?? (org.logo_url ? logoAddress(org.logo_url) : null);
  return (
    <Panel title={t`Logo`}>
      {/* Dropping is a shortcut for the mouse; the button does the same for everybody. */}
      {/* biome-ignore lint/a11y/noStaticElementInteractions: as said */}
      <div
        onDragOver={(e) => {
          e.preventDefault();
          setOver(true);
        }}
        onDragLeave={() => setOver(false)}
        onDrop={drop}
        className={cx(
          'flex flex-wrap items-center gap-5 rounded-lg border border-dashed p-4 transition-colors',
          over ? 'border-accent-ink bg-accent-soft' : 'border-line',
        )}
      >
        <div className="flex items-end gap-3">
          <Sized org={org} src={shown} className="size-24" />
          <Sized org={org} src={shown} className="size-9" />
        </div>
        <div className="min-w-48 flex-1">
          <p className="text-sm text-muted">
            {chosen
              ? t`This is how it will look. Nothing is published yet.`
              : t`PNG, JPEG or WebP, at most 2 MB; square ones fit best. Drop one here, or choose a file.`}
          </p>
          <div className="mt-3 flex flex-wrap gap-2">
            {chosen ? (
              <>
                <Button size="sm" busy={put.isPending} onClick={publish}>
                  {t`Use this logo`}
                </Button>
                <Button size="sm" look="secondary" disabled={put.isPending} onClick={() => setChosen(null)}>
                  {t`Don't use it`}
                </Button>
              </>
            ) : (
              <>
                <Button
                  size="sm"
                  look="secondary"
                  icon={<ImageUp aria-hidden="true" className="size-4" />}
                  onClick={() => input.current?.click()}
                >
                  {org.logo_url ? t`Choose another logo` : t`Choose a logo`}
                </Button>
                {org.logo_url ? (
                  <Button size="sm" look="ghost" busy={remove.isPending} onClick={takeAway}>
                    {t`Remove the logo`}
                  </Button>
                ) : null}
              </>
            )}
          </div>
        </div>
        <input
          ref={input}
          type="file"
          accept={TYPES.join(',')}
          aria-label={t`Logo file`}
          tabIndex={-1}
          className="sr-only"
          onChange={(e) => {
            choose(e.target.files?.[0]);
            e.target.value = '';
          }}
        />
      </div>
      {problem ? (
        <Notice tone="bad" live>
          {problem}
        </Notice>
      ) : null}
    </Panel>
  );
}

function Sized({ org, src, className }: { org: Organization; src: string | null; className: string }) {
  if (src === null) return <OrgMark org={{ ...org, logo_url: null }} className={className} />;
  return (
    <span
      className={cx(
        'grid place-items-center overflow-hidden rounded-[28%] border border-line bg-white',
        className,
      )}
    >
      <img src={src} alt="" className="size-[88%] object-contain" />
    </span>
  );
}

function wrongWith(file: File): string | null {
  if (!TYPES.includes(file.type)) return t`A logo is a PNG, JPEG or WebP picture.`;
  if (file.size > MAX_BYTES) return t`This file is larger than 2 MB.`;
  return null;
}

// The content security policy lets pictures come from our own origin or as
// data, and from no object URL.
async function readPicture(file: File): Promise<string> {
  const shown = await new Promise<string>((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve(String(reader.result));
    reader.onerror = () => reject(reader.error);
    reader.readAsDataURL(file);
  });
  const picture = new Image();
  picture.src = shown;
  await picture.decode();
  return shown;
}

function refusal(error: unknown): string {
  if (error instanceof ApiError) {
    if (error.status === 413) return t`This file is larger than 2 MB.`;
    if (error.status === 415) return t`A logo is a PNG, JPEG or WebP picture.`;
    if (error.status === 422)
      return t`This picture can't be used: it is broken, or larger than 8 megapixels or 4096 pixels a side.`;
  }
  return explain(error);
}
