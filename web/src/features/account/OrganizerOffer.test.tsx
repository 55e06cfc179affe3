// @vitest-environment jsdom
import { cleanup, fireEvent, render, screen } from '@testing-library/react';
import type { ReactNode } from 'react';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { OrganizerOffer } from './OrganizerOffer';

let invites: unknown[] | undefined = [];
vi.mock('@/api/organizations', () => ({
  useMyInvites: () => ({ data: invites && { items: invites } }),
}));
vi.mock('@tanstack/react-router', () => ({
  Link: ({ to, children }: { to: string; children: ReactNode }) => <a href={to}>{children}</a>,
}));

beforeEach(() => {
  invites = [];
  localStorage.clear();
});
afterEach(cleanup);

const offer = () => screen.queryByRole('link', { name: 'Create your organization' });

describe('the offer to create an organization', () => {
  it('is made to each person once', () => {
    const first = render(<OrganizerOffer userId="ann" />);
    expect(offer()?.getAttribute('href')).toBe('/manage');
    first.rerender(<OrganizerOffer userId="ann" />);
    expect(offer()).not.toBeNull();
    first.unmount();
    const second = render(<OrganizerOffer userId="ann" />);
    expect(offer()).toBeNull();
    second.unmount();
    render(<OrganizerOffer userId="bob" />);
    expect(offer()).not.toBeNull();
  });

  it('goes when it is not wanted', () => {
    render(<OrganizerOffer userId="cleo" />);
    fireEvent.click(screen.getByRole('button', { name: 'Not now' }));
    expect(offer()).toBeNull();
  });

  it('waits until it is known that no invitation is pending, and is still to come after one', () => {
    invites = undefined;
    const { rerender } = render(<OrganizerOffer userId="dan" />);
    expect(offer()).toBeNull();
    invites = [{ id: 'one' }];
    rerender(<OrganizerOffer userId="dan" />);
    expect(offer()).toBeNull();
    invites = [];
    rerender(<OrganizerOffer userId="dan" />);
    expect(offer()).not.toBeNull();
  });
});
