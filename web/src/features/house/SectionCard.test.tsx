// @vitest-environment jsdom
import { cleanup, fireEvent, render, screen } from '@testing-library/react';
import { useState } from 'react';
import { afterEach, expect, it } from 'vitest';
import type { DraftSection } from './draft';
import { SectionCard } from './SectionCard';

afterEach(cleanup);

const SECTION: DraftSection = {
  id: 0,
  name: 'Stalls',
  rows: [
    { label: 'A', seats: 8, first: 1 },
    { label: 'B', seats: 10, first: 1 },
    { label: 'C', seats: 12, first: 5 },
  ],
};

it('gives back on the way to a longer section what was drawn row by row', () => {
  let shown = SECTION;
  function Host() {
    const [section, setSection] = useState(SECTION);
    shown = section;
    return (
      <SectionCard
        section={section}
        index={0}
        last
        only
        fresh={false}
        faults={[]}
        onChange={setSection}
        onMove={() => {}}
        onRemove={() => {}}
      />
    );
  }
  render(<Host />);
  const rows = screen.getByLabelText('Rows');
  fireEvent.focus(rows);
  fireEvent.change(rows, { target: { value: '1' } });
  expect(shown.rows.length).toBe(1);
  fireEvent.change(rows, { target: { value: '14' } });
  expect(shown.rows.length).toBe(14);
  expect(shown.rows.slice(0, 3)).toEqual(SECTION.rows);
  expect(shown.rows[3]).toEqual({ label: 'D', seats: 12, first: 5 });
});
