// @vitest-environment jsdom
import { cleanup, render, screen } from '@testing-library/react';
import { afterEach, expect, it } from 'vitest';
import { Description } from './Description';

afterEach(cleanup);

it('shows Markdown below the headings of the page', () => {
  render(<Description text={'# Line-up\n\n- **Ada**\n- [More](https://example.org)'} />);
  expect(screen.getByRole('heading', { level: 3 }).textContent).toBe('Line-up');
  expect(screen.getByRole('link').getAttribute('rel')).toContain('noopener');
});

it.each([
  '<script>alert(1)</script>',
  '<img src=x onerror=alert(1)>',
  '<a href="javascript:alert(1)" onclick="alert(1)">x</a>',
  '[x](javascript:alert(1))',
  '[x](data:text/html,hi)',
  '[x](//evil.example)',
  '![x](https://tracker.example/p.png)',
  '<iframe src="https://evil.example"></iframe>',
  '<style>*{display:none}</style>',
])('never becomes anything but text: %s', (text) => {
  const { container } = render(<Description text={`Hello\n\n${text}`} />);
  expect(container.querySelector('script, img, iframe, style, [onclick], [onerror]')).toBeNull();
  for (const link of container.querySelectorAll('a')) {
    expect(link.getAttribute('href')).not.toMatch(/^(javascript|data):|^\/\//);
  }
});
