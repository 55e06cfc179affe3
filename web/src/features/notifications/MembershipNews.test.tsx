// @vitest-environment jsdom
import { QueryClient, QueryClientProvider } from '@tanstack/react-query';
import { cleanup, render } from '@testing-library/react';
import { afterEach, expect, it } from 'vitest';
import type { Me } from '@/api/types';
import { showToastsWith } from '@/ui/toast';
import { MembershipNews } from './MembershipNews';

const me = (role: 'user' | 'organizer', id = 'bea') =>
  ({ id, organizations: [{ id: 'attic', name: 'Attic', role }] }) as Me;

afterEach(cleanup);

function told(first: Me, now: Me): string[] {
  const said: string[] = [];
  const end = showToastsWith(({ title }) => said.push(title));
  render(
    <QueryClientProvider client={new QueryClient()}>
      <MembershipNews me={now} first={first} />
    </QueryClientProvider>,
  );
  end();
  return said;
}

it('tells what changed between the first screen and its own arrival', () => {
  expect(told(me('user'), me('organizer'))).toEqual(['Your role in Attic is now: Organizer']);
});

it('tells nothing where nothing changed, or where somebody else is here now', () => {
  expect(told(me('user'), me('user'))).toEqual([]);
  expect(told(me('user', 'ann'), me('organizer'))).toEqual([]);
});
