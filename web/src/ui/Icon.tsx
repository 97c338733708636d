import type { ReactNode } from 'react';

/** 24 × 24 line icons, drawn here so that nothing is loaded from elsewhere. */
const PATHS = {
  overview: 'M4 13h6V4H4zM14 20h6v-9h-6zM4 20h6v-3H4zM14 7h6V4h-6z',
  worklist: 'M8 6h12M8 12h12M8 18h12M4 6h.01M4 12h.01M4 18h.01',
  trace: 'M11 18a7 7 0 1 0 0-14 7 7 0 0 0 0 14zM20 20l-4-4M11 8v6M8 11h6',
  cases: 'M12 4 3 20h18zM12 10v4M12 17h.01',
  access: 'M2.5 12S6 5.5 12 5.5 21.5 12 21.5 12 18 18.5 12 18.5 2.5 12 2.5 12zM12 15a3 3 0 1 0 0-6 3 3 0 0 0 0 6z',
  ledger: 'M9 8H6a3 3 0 0 0 0 8h3M15 8h3a3 3 0 0 1 0 8h-3M8 12h8',
  quarantine: 'M12 3l8 3v6c0 5-3.4 8-8 9-4.6-1-8-4-8-9V6zM12 8v4M12 15.5h.01',
  approvals: 'M9 11a3.5 3.5 0 1 0 0-7 3.5 3.5 0 0 0 0 7zM2.5 19c.6-3.4 3.2-5 6.5-5 1.6 0 3 .4 4.2 1.1M14 18.5l2.5 2.5 5-5.5M16 11a3 3 0 1 0-1-5.8',
  gateway: 'M4 12h10M10 7l5 5-5 5M15 4h4a1 1 0 0 1 1 1v14a1 1 0 0 1-1 1h-4',
  archive: 'M4 5h16v4H4zM5.5 9v10h13V9M10 13h4',
  window: 'M12 20a8 8 0 1 0 0-16 8 8 0 0 0 0 16zM12 4v16M15 5.5v13M18 7.5v9',
  zoom: 'M11 18a7 7 0 1 0 0-14 7 7 0 0 0 0 14zM20 20l-4-4M11 8v6M8 11h6',
  pan: 'M12 3v18M3 12h18M12 3 9.5 5.5M12 3l2.5 2.5M12 21l-2.5-2.5M12 21l2.5-2.5M3 12l2.5-2.5M3 12l2.5 2.5M21 12l-2.5-2.5M21 12l-2.5 2.5',
  invert: 'M4 4h16v16H4zM4 20 20 4M14 16h3M7 8h3M8.5 6.5v3',
  outlines: 'M6 4c5-1 5 4 9 3s6 3 5 7-6 3-8 6-8 1-9-5 0-10 3-11z',
  actual: 'M4 4h16v16H4zM7.5 9.5l2-1.5v8M14.5 9.5l2-1.5v8M12 10.5h.01M12 14h.01',
  reset: 'M4 5v5h5M4.8 10A8 8 0 1 1 4 13.5',
  back: 'M15 5l-7 7 7 7',
  next: 'M9 5l7 7-7 7',
  check: 'M5 12.5l4.5 4.5L19 7.5',
  cross: 'M6 6l12 12M18 6 6 18',
  warn: 'M12 4 3 20h18zM12 10v4M12 17h.01',
  clock: 'M12 21a9 9 0 1 0 0-18 9 9 0 0 0 0 18zM12 7v5l3 2',
  film: 'M4 5h16v14H4zM8 5v14M16 5v14M4 9h4M4 15h4M16 9h4M16 15h4',
  upload: 'M12 15V4M7.5 8.5 12 4l4.5 4.5M4 15v4a1 1 0 0 0 1 1h14a1 1 0 0 0 1-1v-4',
  lock: 'M6 11h12v9H6zM8.5 11V8a3.5 3.5 0 0 1 7 0v3',
  signOut: 'M14 4H5v16h9M10 12h11M17.5 8.5 21 12l-3.5 3.5',
  copy: 'M9 9h11v11H9zM15 9V4H4v11h5',
  refuse: 'M12 21a9 9 0 1 0 0-18 9 9 0 0 0 0 18zM5.7 5.7l12.6 12.6',
  person: 'M12 12a4 4 0 1 0 0-8 4 4 0 0 0 0 8zM4.5 20c.7-4 3.7-6 7.5-6s6.8 2 7.5 6',
} as const;

export type IconName = keyof typeof PATHS;

export function Icon({ name, size = 20 }: { name: IconName; size?: number }): ReactNode {
  return (
    <svg
      className="icon"
      width={size}
      height={size}
      viewBox="0 0 24 24"
      fill="none"
      stroke="currentColor"
      strokeWidth="1.7"
      strokeLinecap="round"
      strokeLinejoin="round"
      aria-hidden="true"
    >
      <path d={PATHS[name]} />
    </svg>
  );
}

export function Mark({ size = 32 }: { size?: number }): ReactNode {
  return <img src="./favicon.svg" width={size} height={size} alt="" />;
}
