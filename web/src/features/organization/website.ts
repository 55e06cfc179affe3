/** How a website is called: its host, and the path where there is one. */
export function websiteName(address: string): string {
  try {
    const url = new URL(address);
    const path = url.pathname === '/' ? '' : url.pathname.replace(/\/$/, '');
    return url.host.replace(/^www\./, '') + path;
  } catch {
    return address;
  }
}
