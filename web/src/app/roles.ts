/** Which pages a role is shown, first one first. The API decides again on every request. */
export const PAGES = [
  'overview',
  'worklist',
  'trace',
  'cases',
  'access',
  'ledger',
  'quarantine',
  'approvals',
] as const;
export type Page = (typeof PAGES)[number];

const BY_ROLE: Record<string, readonly Page[]> = {
  radiologist: ['worklist', 'approvals'],
  clinician: ['worklist', 'approvals'],
  privacy_officer: ['overview', 'trace', 'cases', 'approvals', 'access', 'ledger'],
  security: ['overview', 'cases', 'approvals', 'access', 'ledger', 'quarantine'],
  pacs_admin: ['overview', 'quarantine', 'approvals', 'ledger'],
  auditor: ['ledger', 'access', 'approvals', 'cases', 'overview'],
};

export function pagesOf(role: string): readonly Page[] {
  return BY_ROLE[role] ?? ['overview'];
}

export function firstPage(role: string): Page {
  return pagesOf(role)[0] ?? 'overview';
}

/** Readers sit in a dark room: their pages stay dark from the worklist to the film. */
export function isReader(role: string): boolean {
  return role === 'radiologist' || role === 'clinician';
}
