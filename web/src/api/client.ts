import { learnServerTime } from './clock';
import { Problem, problemFrom } from './problem';
import type {
  Approval,
  ApprovalAction,
  Case,
  Identity,
  KnownIdentity,
  LedgerPage,
  LedgerVerification,
  OpenedView,
  Overview,
  QuarantineItem,
  RepairResult,
  Session,
  TraceResult,
  ViewRow,
  WorkItem,
} from './types';

let csrf = '';
let onSignedOut: () => void = () => {};

export function rememberCsrf(session: Session | null): void {
  csrf = session?.csrf ?? '';
}

/** Called once a request finds that the session has ended. */
export function whenSignedOut(handler: () => void): void {
  onSignedOut = handler;
}

/** A path that the API answered, below /api. Anything that could leave it becomes empty: no
 * answer may send the browser elsewhere. */
export function apiPath(path: string): string {
  const below = path.replace(/^\/api\//, '');
  return /^[\w-][\w./-]*$/.test(below) && !below.includes('..') ? `/api/${below}` : '';
}

async function request<T>(method: string, path: string, body?: unknown): Promise<T> {
  const headers: Record<string, string> = { Accept: 'application/json' };
  if (method !== 'GET') headers['X-CSRF'] = csrf;
  if (body !== undefined) headers['Content-Type'] = 'application/json';
  let answer: Response;
  try {
    answer = await fetch(`/api${path}`, {
      method,
      headers,
      credentials: 'same-origin',
      cache: 'no-store',
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
  } catch {
    throw new Problem(0, 'unreachable', '');
  }
  learnServerTime(answer.headers.get('Date'));
  if (!answer.ok) {
    if (answer.status === 401 && !path.startsWith('/session')) onSignedOut();
    throw problemFrom(answer.status, await answer.text());
  }
  return (answer.status === 204 ? undefined : await answer.json()) as T;
}

const get = <T>(path: string) => request<T>('GET', path);
const post = <T>(path: string, body?: unknown) => request<T>('POST', path, body);
const segment = encodeURIComponent;

export const api = {
  session: () => get<Session>('/session'),
  signIn: (user: string, password: string) => post<Session>('/session', { user, password }),
  signInByLink: (token: string) => post<Session>('/session/link', { token }),
  signOut: () => request<void>('DELETE', '/session'),
  overview: () => get<Overview>('/overview'),
  worklist: () => get<WorkItem[]>('/worklist'),
  openView: (sop: string) => post<OpenedView>(`/films/${segment(sop)}/view`),
  identity: (sop: string) => post<Identity>(`/films/${segment(sop)}/identity`),
  views: (limit: number) => get<ViewRow[]>(`/views?limit=${limit}`),
  cases: () => get<Case[]>('/cases'),
  case: (id: string) => get<Case>(`/cases/${segment(id)}`),
  contain: (id: string) => post<Case>(`/cases/${segment(id)}/contain`),
  traces: (id: string) => get<TraceResult[]>(`/cases/${segment(id)}/traces`),
  trace: (id: string) => get<TraceResult>(`/trace/${segment(id)}`),
  askSecond: (id: string) => post<TraceResult>(`/trace/${segment(id)}/ask`, {}),
  confirmTrace: (id: string, note: string) =>
    post<TraceResult>(`/trace/${segment(id)}/confirm`, { note }),
  refuseTrace: (id: string, note: string) =>
    post<TraceResult>(`/trace/${segment(id)}/refuse`, { note }),
  ledger: (before: number | null, limit: number) =>
    get<LedgerPage>(`/ledger?limit=${limit}${before === null ? '' : `&before=${before}`}`),
  verifyLedger: () => post<LedgerVerification>('/ledger/verify'),
  quarantine: () => get<QuarantineItem[]>('/quarantine'),
  approvals: () => get<Approval[]>('/approvals'),
  approvalActions: () => get<ApprovalAction[]>('/approvals/actions'),
  decide: (id: string, how: 'approve' | 'refuse', note: string) =>
    post<Approval>(`/approvals/${segment(id)}/${how}`, { note }),
  withdraw: (id: string) => post<Approval>(`/approvals/${segment(id)}/withdraw`),
  askIdentities: (pseudonyms: string[], purpose: string, reason: string) =>
    post<Approval>('/reidentifications', { pseudonyms, purpose, reason }),
  reidentify: (id: string) => post<KnownIdentity[]>(`/reidentifications/${segment(id)}`),
  repair: (id: string) => post<RepairResult>(`/repairs/${segment(id)}`),
};

/** Sends a leaked copy, to an open case or none. `onSent` hears the share uploaded, 0 to 1. */
export function traceCopy(
  file: Blob,
  purpose: string,
  incident: string,
  onSent: (share: number) => void,
): Promise<TraceResult> {
  // XMLHttpRequest, because fetch reports no upload progress.
  return new Promise((resolve, reject) => {
    const xhr = new XMLHttpRequest();
    xhr.open('POST', '/api/trace');
    xhr.setRequestHeader('X-CSRF', csrf);
    xhr.setRequestHeader('Accept', 'application/json');
    xhr.upload.onprogress = (event) => {
      if (event.lengthComputable) onSent(event.loaded / event.total);
    };
    xhr.upload.onload = () => onSent(1);
    xhr.onerror = () => reject(new Problem(0, 'unreachable', ''));
    xhr.onload = () => {
      if (xhr.status >= 200 && xhr.status < 300) resolve(JSON.parse(xhr.responseText));
      else {
        if (xhr.status === 401) onSignedOut();
        reject(problemFrom(xhr.status, xhr.responseText));
      }
    };
    const form = new FormData();
    form.append('file', file, file instanceof File ? file.name : 'pasted.png');
    form.append('purpose', purpose);
    if (incident) form.append('case', incident);
    xhr.send(form);
  });
}
