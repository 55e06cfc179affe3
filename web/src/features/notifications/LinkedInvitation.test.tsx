// @vitest-environment jsdom
import { cleanup, render, screen } from '@testing-library/react';
import type { ReactNode } from 'react';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { ApiError } from '@/api/problem';
import type { LinkedInvite, Me } from '@/api/types';
import { LinkedInvitation } from './LinkedInvitation';

let linked: { data?: LinkedInvite; error?: ApiError; isPending: boolean } = { isPending: true };
vi.mock('@/api/organizations', () => ({ useInviteByToken: () => linked, useAnswerInvite: () => ({}) }));
vi.mock('@/api/me', () => ({ useSignOut: () => () => Promise.resolve(), signInUrl: () => '/auth/login' }));
vi.mock('@tanstack/react-router', () => ({
  Link: ({ to, children }: { to: string; children: ReactNode }) => <a href={to}>{children}</a>,
  useNavigate: () => () => undefined,
}));

const me: Me = {
  id: 'bea',
  name: 'Bea',
  email: 'bea@example.org',
  email_verified: true,
  created_at: '2026-01-01T00:00:00Z',
  organizations: [],
};

function invite(change: Partial<LinkedInvite>): LinkedInvite {
  return {
    id: 'invite',
    org_id: 'org',
    org_name: 'Attic Readings',
    email: 'bea@example.org',
    role: 'user',
    status: 'pending',
    expires_at: '2026-02-01T00:00:00Z',
    to_caller: true,
    ...change,
  };
}

function show(who: Me = me) {
  return render(<LinkedInvitation token="secret" me={who} />);
}

beforeEach(() => {
  linked = { isPending: false };
});
afterEach(cleanup);

describe('the invitation of a mailed link', () => {
  it.each([
    ['expired', /has expired/],
    ['revoked', /has withdrawn it/],
    ['rejected', /was declined/],
    ['accepted', /was accepted already/],
  ] as const)('that is %s is explained', (status, why) => {
    linked.data = invite({ status });
    show();
    expect(screen.getByText(/can't be answered any more/).textContent).toContain('Attic Readings');
    expect(screen.getByText(why)).toBeDefined();
  });

  it('that one has accepted before leads into the organization', () => {
    linked.data = invite({ status: 'accepted' });
    show({ ...me, organizations: [{ id: 'org', name: 'Attic Readings', role: 'user' }] });
    expect(screen.getByText('Welcome to Attic Readings')).toBeDefined();
    expect(screen.getByRole('link').getAttribute('href')).toBe('/organizations/$orgId');
  });

  it('to another account offers to sign in with that one', () => {
    linked.data = invite({ to_caller: false, email: 'c•••@example.org' });
    show();
    expect(screen.getByText('This invitation is for another account')).toBeDefined();
    expect(screen.getByText(/c•••@example.org/).textContent).toContain('bea@example.org');
    expect(screen.getByRole('button', { name: 'Sign in with another account' })).toBeDefined();
  });

  it('that waits for the answer of whoever looks is told below, not here', () => {
    linked.data = invite({});
    expect(show().container.textContent).toBe('');
  });

  it('whose link a newer mail has replaced tells to use that one', () => {
    linked.error = new ApiError({ status: 404, code: 'not_found' });
    show();
    expect(screen.getByText('This link does not work any more')).toBeDefined();
  });
});
