import { useQueryClient } from '@tanstack/react-query';
import { createContext, useCallback, useContext, useEffect, useMemo, useState } from 'react';
import type { ReactNode } from 'react';
import { api, rememberCsrf, whenSignedOut } from '../api/client';
import { Problem } from '../api/problem';
import type { Session } from '../api/types';
import { linkToken } from './route';

interface SessionState {
  session: Session | null;
  phase: 'starting' | 'link' | 'signed-out' | 'ended' | 'signed-in';
  problem: Problem | null;
  signIn: (user: string, password: string) => Promise<void>;
  signOut: () => Promise<void>;
}

const Context = createContext<SessionState | null>(null);

// Read once, at load: React may run an effect twice, the link may be used only once.
let token: string | undefined;
const tokenAtLoad = (): string => (token ??= linkToken(location.hash));
let starting: Promise<Session> | null = null;

function start(): Promise<Session> {
  const link = tokenAtLoad();
  if (!link) return api.session();
  // The token leaves the address bar and the history before anything else happens.
  history.replaceState(null, '', location.pathname);
  return api.signInByLink(link);
}

const asProblem = (error: unknown) =>
  error instanceof Problem ? error : new Problem(0, 'unreachable', '');

export function SessionProvider({ children }: { children: ReactNode }) {
  const [session, setSession] = useState<Session | null>(null);
  const [phase, setPhase] = useState<SessionState['phase']>(tokenAtLoad() ? 'link' : 'starting');
  const [problem, setProblem] = useState<Problem | null>(null);
  const queries = useQueryClient();

  const become = useCallback(
    (next: Session | null, then: SessionState['phase']) => {
      rememberCsrf(next);
      queries.clear();
      setSession(next);
      setPhase(then);
    },
    [queries],
  );

  useEffect(() => {
    whenSignedOut(() => become(null, 'ended'));
    starting ??= start();
    starting.then(
      (found) => become(found, 'signed-in'),
      (error: unknown) => {
        const failure = asProblem(error);
        // Nobody signed in is the usual start, not a failure; a link that fails is one.
        if (tokenAtLoad() || failure.status !== 401) setProblem(failure);
        become(null, 'signed-out');
      },
    );
  }, [become]);

  useEffect(() => {
    // A link pasted into an open console changes only the hash: start anew with it.
    const changed = () => linkToken(location.hash) && location.reload();
    addEventListener('hashchange', changed);
    return () => removeEventListener('hashchange', changed);
  }, []);

  const state = useMemo<SessionState>(
    () => ({
      session,
      phase,
      problem,
      signIn: async (user, password) => {
        setProblem(null);
        try {
          become(await api.signIn(user, password), 'signed-in');
        } catch (error) {
          setProblem(asProblem(error));
        }
      },
      signOut: async () => {
        await api.signOut().catch(() => undefined);
        location.hash = '';
        become(null, 'signed-out');
      },
    }),
    [session, phase, problem, become],
  );
  return <Context value={state}>{children}</Context>;
}

export function useSession(): SessionState {
  const state = useContext(Context);
  if (!state) throw new Error('useSession outside SessionProvider');
  return state;
}
