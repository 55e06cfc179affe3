// @vitest-environment jsdom
import { cleanup, render, screen, waitFor } from '@testing-library/react';
import type { ReactNode } from 'react';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { ApiError } from '@/api/problem';
import type { Event, Me, Role } from '@/api/types';
import { rememberedOrg, rereadRemembered } from './current';
import { Gate, isId, NotYourEvent } from './InOrganization';

const ORG = '01980000-0000-7000-8000-000000000001';

const state = vi.hoisted(() => ({
  readAt: 0,
  refetch: (): Promise<void> => Promise.resolve(),
  org: undefined as { id: string; name: string } | undefined,
  error: null as unknown,
  invites: [] as { org_id: string }[],
}));
vi.mock('@/api/me', () => ({
  useMeQuery: () => ({ dataUpdatedAt: state.readAt, refetch: state.refetch }),
  signInUrl: () => '/auth/login',
}));
vi.mock('@/api/organizations', () => ({
  useOrganization: () => ({ data: state.org, error: state.error, isPending: false, refetch: vi.fn() }),
  useMyInvites: () => ({ data: { items: state.invites } }),
}));
vi.mock('@tanstack/react-router', () => ({
  Link: ({ to, children }: { to: string; children: ReactNode }) => <a href={to}>{children}</a>,
  useRouter: () => ({ invalidate: vi.fn() }),
}));

function meAs(role: Role | null): Me {
  const organizations = role ? [{ id: ORG, name: 'Club', role }] : [];
  return { id: 'ann', name: 'Ann', email: 'ann@x.org', email_verified: true, organizations } as unknown as Me;
}

function show(me: Me, orgId = ORG) {
  return render(
    <Gate me={me} orgId={orgId} section="settings">
      {(_, org) => <h1>{`Inside ${org.name}`}</h1>}
    </Gate>,
  );
}

const heading = () => screen.queryByRole('heading', { level: 1 })?.textContent ?? null;

beforeEach(() => {
  Object.assign(state, { readAt: Date.now(), org: undefined, error: null, invites: [] });
  state.refetch = () => Promise.resolve();
  localStorage.clear();
  rereadRemembered();
});
afterEach(cleanup);

describe('a part of running an organization', () => {
  it('opens to whose role allows it, and is remembered as where they work', () => {
    show(meAs('orgAdmin'));
    expect(heading()).toBe('Inside Club');
    expect(rememberedOrg('ann')).toBe(ORG);
  });

  it('tells a member whose role is too little', () => {
    show(meAs('organizer'));
    expect(heading()).toBe('This is for administrators');
    expect(rememberedOrg('ann')).toBeNull();
  });

  it('tells a stranger whose it is, and the invited how it opens', () => {
    state.org = { id: ORG, name: 'Club' };
    const { unmount } = show(meAs(null));
    expect(heading()).toBe('This is for members of Club');
    expect(screen.queryByRole('link', { name: 'See your invitation' })).toBeNull();
    unmount();
    state.invites = [{ org_id: ORG }];
    show(meAs(null));
    expect(screen.queryByRole('link', { name: 'See your invitation' })).not.toBeNull();
  });

  it('is nothing where there is no such organization', () => {
    state.error = new ApiError({ status: 404, code: 'not_found' });
    const { unmount } = show(meAs(null));
    expect(heading()).toBe('There is nothing here');
    unmount();
    state.error = null;
    show(meAs(null), 'nonsense');
    expect(heading()).toBe('There is nothing here');
  });

  it('sends nobody away before the server was asked for roles given meanwhile', async () => {
    state.readAt = 0;
    let answer = () => {};
    state.refetch = () =>
      new Promise((resolve) => {
        answer = resolve;
      });
    const { rerender } = show(meAs('user'));
    expect(heading()).toBeNull();
    rerender(
      <Gate me={meAs('orgAdmin')} orgId={ORG} section="settings">
        {(_, org) => <h1>{`Inside ${org.name}`}</h1>}
      </Gate>,
    );
    expect(heading()).toBe('Inside Club');
    rerender(
      <Gate me={meAs('user')} orgId={ORG} section="settings">
        {() => null}
      </Gate>,
    );
    expect(heading()).toBeNull();
    answer();
    // It follows by itself, on a busy machine too.
    await waitFor(() => expect(heading()).toBe('This is for administrators'), { timeout: 30_000 });
  });
});

describe('an event that one may see and not run', () => {
  const event = { id: 'jazz', org_id: ORG } as Event;

  it('says which role it takes, and leads to its page', () => {
    render(<NotYourEvent me={meAs('user')} event={event} />);
    expect(heading()).toBe('This is for organizers');
    expect(screen.getByRole('link', { name: 'See the event' })).toBeDefined();
  });

  it('says to who is no member whose it is, and nothing of a role', () => {
    state.org = { id: ORG, name: 'Club' };
    const { container } = render(<NotYourEvent me={meAs(null)} event={event} />);
    expect(heading()).toBe('This is for members of Club');
    expect(screen.getByRole('link', { name: 'See the event' })).toBeDefined();
    expect(container.textContent).not.toContain('role');
  });
});

describe('an id in an address', () => {
  it.each([
    [ORG, true],
    [ORG.toUpperCase(), true],
    ['', false],
    ['../me', false],
    [`${ORG}0`, false],
  ])('%s: %s', (text, expected) => {
    expect(isId(text)).toBe(expected);
  });
});
