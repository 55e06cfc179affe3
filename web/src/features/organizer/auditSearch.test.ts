import { describe, expect, it } from 'vitest';
import { auditFilter, byDay, changedSearch, readAuditSearch } from './auditSearch';

const id = '01980000-0000-7000-8000-000000000000';

describe('the search of the record', () => {
  it('takes from the address what makes sense, and nothing else', () => {
    expect(
      readAuditSearch({
        action: 'member.removed',
        actor: id,
        subject: id,
        from: '2026-11-01',
        to: '2026-11-22',
      }),
    ).toEqual({ action: 'member.removed', actor: id, subject: id, from: '2026-11-01', to: '2026-11-22' });
    expect(
      readAuditSearch({
        action: 'x',
        actor: 7,
        subject: '../..',
        from: '2026-02-31',
        to: 'soon',
        more: 'yes',
      }),
    ).toEqual({});
  });

  it('asks for whole days of the viewer', () => {
    const filter = auditFilter({ from: '2026-11-01', to: '2026-11-30' });
    expect(filter.from).toBe(new Date(2026, 10, 1).toISOString());
    expect(filter.to).toBe(new Date(2026, 11, 1).toISOString());
    expect(auditFilter({}).from).toBeUndefined();
  });

  it('drops what was emptied', () => {
    expect(changedSearch({ action: 'org.updated', from: '2026-11-01' }, { action: '', actor: id })).toEqual({
      from: '2026-11-01',
      actor: id,
    });
  });

  it('groups entries by day in their order', () => {
    const at = (day: number, hour: number) => ({ at: new Date(2026, 10, day, hour).toISOString() });
    const days = byDay([at(22, 9), at(22, 0), at(21, 23), at(22, 8)]);
    expect(days.map((day) => day.entries.length)).toEqual([2, 1, 1]);
    expect(byDay([])).toEqual([]);
  });
});
