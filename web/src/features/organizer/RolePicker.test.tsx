// @vitest-environment jsdom
import { cleanup, fireEvent, render, screen } from '@testing-library/react';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { RolePicker } from './RolePicker';

afterEach(cleanup);

function open(busy = false) {
  const onPick = vi.fn();
  render(<RolePicker label="Role of Ann" value="user" busy={busy} onPick={onPick} />);
  return { onPick, list: screen.getByLabelText<HTMLSelectElement>('Role of Ann') };
}

function arrow(list: HTMLSelectElement, to: string) {
  fireEvent.keyDown(list, { key: 'ArrowDown' });
  fireEvent.change(list, { target: { value: to } });
}

describe('the list of roles', () => {
  it('takes what is picked with a pointer at once', () => {
    const { list, onPick } = open();
    fireEvent.pointerDown(list);
    fireEvent.change(list, { target: { value: 'organizer' } });
    expect(onPick).toHaveBeenCalledExactlyOnceWith('organizer');
  });

  it('can be looked through with the arrows, and takes what Enter confirms', () => {
    const { list, onPick } = open();
    arrow(list, 'organizer');
    arrow(list, 'orgAdmin');
    expect(onPick).not.toHaveBeenCalled();
    expect(screen.getByRole('status').textContent).toContain('Enter');
    fireEvent.keyDown(list, { key: 'Enter' });
    fireEvent.blur(list);
    expect(onPick).toHaveBeenCalledExactlyOnceWith('orgAdmin');
  });

  it('takes what one leaves it at, and nothing after Escape', () => {
    const { list, onPick } = open();
    arrow(list, 'organizer');
    fireEvent.keyDown(list, { key: 'Escape' });
    fireEvent.blur(list);
    expect(onPick).not.toHaveBeenCalled();
    arrow(list, 'organizer');
    fireEvent.blur(list);
    expect(onPick).toHaveBeenCalledExactlyOnceWith('organizer');
  });

  it('takes what Enter picks in the open list', () => {
    const { list, onPick } = open();
    fireEvent.keyDown(list, { key: 'ArrowDown' });
    fireEvent.keyDown(list, { key: 'Enter' });
    fireEvent.change(list, { target: { value: 'organizer' } });
    expect(onPick).toHaveBeenCalledExactlyOnceWith('organizer');
  });

  it('takes nothing while a change is under way, and keeps the focus', () => {
    const { list, onPick } = open(true);
    list.focus();
    fireEvent.change(list, { target: { value: 'organizer' } });
    expect(onPick).not.toHaveBeenCalled();
    expect(document.activeElement).toBe(list);
  });
});
