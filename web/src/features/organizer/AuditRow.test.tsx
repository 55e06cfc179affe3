// @vitest-environment jsdom
import { cleanup, fireEvent, render, screen } from '@testing-library/react';
import { afterEach, expect, it, vi } from 'vitest';
import type { AuditEntry } from '@/api/types';
import { House } from '@/seatmap';
import { AuditRow } from './AuditRow';

const asked = vi.hoisted(() => [] as string[]);
vi.mock('@/api/events', () => ({ eventDetail: (id: string) => ({ id }) }));
vi.mock('@tanstack/react-query', () => ({
  useQuery: ({ id, enabled }: { id: string; enabled: boolean }) => {
    if (enabled) asked.push(id);
    return { data: enabled ? { id, layout_revision: 1 } : undefined };
  },
}));
vi.mock('@/api/houses', () => ({ useHouse: (event: unknown) => (event ? HOUSE : undefined) }));

const HOUSE = new House([{ name: 'Box', rows: [{ label: '1', seats: 9, first: 101 }] }]);

afterEach(() => {
  cleanup();
  asked.length = 0;
});

function open(change: Partial<AuditEntry>, house?: House | null) {
  const entry = {
    id: 'one',
    at: '2026-11-22T11:00:00Z',
    action: 'event.blocks_changed',
    actor: { id: 'ann', name: 'Ann' },
    subject_id: 'jazz',
    subject: { kind: 'event', label: 'Jazz night' },
    before: {},
    after: { blocked: '1-3', unblocked: '' },
    ...change,
  } as AuditEntry;
  render(<AuditRow entry={entry} house={house} />);
  expect(asked).toEqual([]);
  fireEvent.click(screen.getByRole('button'));
}

it('names the seats of an event once its entry is opened', () => {
  open({});
  expect(asked).toContain('jazz');
  expect(screen.getByText('Box · Row 1: 101–103')).toBeDefined();
});

it.each([
  ['names none', { after: { total_slots: 3 } }, undefined, '3'],
  ['is of an event that is gone', { subject: null }, undefined, 'No. 1–3'],
  ['stands in the event’s own record', {}, null, 'Row A: 1–3'],
] as const)('asks for no event where the entry %s', (_, change, house, text) => {
  open(change as Partial<AuditEntry>, house);
  expect(asked).toEqual([]);
  expect(screen.getByText(text)).toBeDefined();
});
