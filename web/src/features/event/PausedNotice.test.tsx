// @vitest-environment jsdom
import { cleanup, render, screen } from '@testing-library/react';
import { afterEach, describe, expect, it } from 'vitest';
import { PausedNotice } from './PausedNotice';

afterEach(cleanup);

describe('the notice of a pause', () => {
  it('is silent while there was none', () => {
    render(<PausedNotice paused={false} />);
    expect(screen.getByRole('status').textContent).toBe('');
  });

  it('tells a pause and its end in one region, each once', () => {
    const { rerender } = render(<PausedNotice paused={false} />);
    const region = screen.getByRole('status');
    rerender(<PausedNotice paused />);
    const told = region.firstElementChild;
    expect(region.textContent).toContain('Live seat choosing is paused');
    rerender(<PausedNotice paused />);
    expect(region.firstElementChild).toBe(told);
    rerender(<PausedNotice paused={false} />);
    expect(region.textContent).toBe('Live seat choosing goes on.');
    expect(screen.getByRole('status')).toBe(region);
  });
});
