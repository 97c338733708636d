import { useSyncExternalStore } from 'react';

/** Hash routing: the server hands out one file, whatever the page. */
export interface Route {
  page: string;
  id: string;
}

export function parseRoute(hash: string): Route {
  const [page = '', ...rest] = hash.replace(/^#\/?/, '').split('?')[0]!.split('/');
  return { page, id: safeDecode(rest.join('/')) };
}

function safeDecode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

export function href(page: string, id = ''): string {
  return id ? `#/${page}/${encodeURIComponent(id)}` : `#/${page}`;
}

/** The one-time token of `#link=TOKEN`, or an empty text. */
export function linkToken(hash: string): string {
  return /^#\/?link=([A-Za-z0-9._~-]+)$/.exec(hash)?.[1] ?? '';
}

export function go(page: string, id = ''): void {
  location.hash = href(page, id);
}

const subscribe = (changed: () => void) => {
  addEventListener('hashchange', changed);
  return () => removeEventListener('hashchange', changed);
};

export function useRoute(): Route {
  return parseRoute(useSyncExternalStore(subscribe, () => location.hash));
}
