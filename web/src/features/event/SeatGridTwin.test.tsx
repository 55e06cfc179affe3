// @vitest-environment jsdom
import { act, cleanup, fireEvent, render, screen } from '@testing-library/react';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { defaultLayout, House, houseLayout, Look } from '@/seatmap';
import { SeatGridTwin } from './SeatGridTwin';

const layout = defaultLayout(45);

beforeEach(() => {
  vi.spyOn(window, 'requestAnimationFrame').mockImplementation((frame) => {
    frame(0);
    return 0;
  });
});

afterEach(() => {
  cleanup();
  vi.restoreAllMocks();
});

function setup(canPick = true) {
  const looks = new Uint8Array(45);
  looks[1] = Look.booked;
  const onSeat = vi.fn();
  const onFocusSeat = vi.fn();
  render(
    <SeatGridTwin
      layout={layout}
      looks={looks}
      canPick={canPick}
      onSeat={onSeat}
      onFocusSeat={onFocusSeat}
    />,
  );
  const press = (key: string) =>
    act(() => fireEvent.keyDown(document.activeElement ?? document.body, { key }));
  return { onSeat, onFocusSeat, press };
}

describe('the grid under the map', () => {
  it('has one tab stop, which follows the focus', () => {
    const { press, onFocusSeat } = setup();
    const stops = () => screen.getAllByRole('gridcell').filter((cell) => cell.tabIndex === 0);
    expect(stops()).toHaveLength(1);
    act(() => stops()[0]?.focus());
    press('ArrowDown');
    press('End');
    expect(stops()).toHaveLength(1);
    expect(document.activeElement?.textContent).toBe('Row B, seat 40, free');
    expect(onFocusSeat).toHaveBeenLastCalledWith(40);
  });

  it('says what a seat is and whether it can be had', () => {
    setup();
    const sold = screen.getByRole('gridcell', { name: 'Row A, seat 2, sold' });
    expect(sold.getAttribute('aria-disabled')).toBe('true');
    expect(screen.getByRole('gridcell', { name: 'Row A, seat 1, free' }).getAttribute('aria-disabled')).toBe(
      'false',
    );
  });

  it('chooses the seat that is pressed', () => {
    const { onSeat } = setup();
    fireEvent.click(screen.getByRole('gridcell', { name: 'Row A, seat 3, free' }));
    expect(onSeat).toHaveBeenCalledWith(3);
  });

  it('never lets go of the focus on the way to another section', () => {
    const rows = [{ label: 'A', seats: 3 }];
    const house = houseLayout(
      new House([
        { name: 'Stalls', rows },
        { name: 'Box', rows },
      ]),
    );
    let draw = (_: number) => {};
    vi.spyOn(window, 'requestAnimationFrame').mockImplementation((frame) => {
      draw = frame;
      return 0;
    });
    render(
      <SeatGridTwin
        layout={house}
        looks={new Uint8Array(6)}
        canPick
        onSeat={() => {}}
        onFocusSeat={() => {}}
      />,
    );
    act(() => screen.getByRole('gridcell', { name: 'Stalls, row A, seat 2, free' }).focus());
    act(() =>
      fireEvent.keyDown(document.activeElement ?? document.body, { key: 'PageDown', shiftKey: true }),
    );
    expect(document.activeElement).toBe(screen.getByRole('grid'));
    act(() => draw(0));
    expect(document.activeElement?.textContent).toBe('Box, row A, seat 2, free');
  });

  it('does what a press does now, also in rows in which nothing is drawn anew', () => {
    const looks = new Uint8Array(45);
    const [before, now] = [vi.fn(), vi.fn()];
    const grid = (onSeat: (seat: number) => void) => (
      <SeatGridTwin layout={layout} looks={looks} canPick onSeat={onSeat} onFocusSeat={() => {}} />
    );
    const { rerender } = render(grid(before));
    rerender(grid(now));
    fireEvent.click(screen.getByRole('gridcell', { name: 'Row B, seat 21, free' }));
    expect(now).toHaveBeenCalledWith(21);
    expect(before).not.toHaveBeenCalled();
  });

  it('lets a visitor look around', () => {
    setup(false);
    for (const cell of screen.getAllByRole('gridcell'))
      expect(cell.getAttribute('aria-disabled')).toBe('true');
  });
});
