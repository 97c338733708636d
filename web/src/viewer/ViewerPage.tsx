import { useQuery, useQueryClient } from '@tanstack/react-query';
import { useEffect, useRef } from 'react';
import { api } from '../api/client';
import { Problem } from '../api/problem';
import type { OpenedView, WorkItem } from '../api/types';
import { LanguageSwitch } from '../app/LanguageSwitch';
import { href } from '../app/route';
import { Icon } from '../ui/Icon';
import { ProblemNote, Reasons } from '../ui/ProblemNote';
import { useTitle } from '../ui/useTitle';
import { useWords } from '../ui/useWords';
import { FilmView } from './FilmView';
import './viewer.css';

/** Asks for the view, which is decided and ledgered first, then shows the film. */
export default function ViewerPage({ sop }: { sop: string }) {
  const { t, named } = useWords();
  const opening = useOpening(sop);
  const item = useOrder(sop, opening.data?.order);
  useTitle(item ? named(item.need) : t('viewer.title'));
  return (
    <div className="viewer">
      <header className="viewer-bar">
        <a href={href('worklist')} className="viewer-back">
          <Icon name="back" size={18} />
          {t('viewer.back')}
        </a>
        <h1>
          {item ? named(item.need) : t('viewer.title')}
          {item && <span className="mono">{item.accession}</span>}
        </h1>
        <LanguageSwitch />
      </header>
      {opening.data ? (
        <FilmView view={opening.data} item={item} />
      ) : (
        <main className="viewer-message">
          {opening.error ? (
            <Refusal error={opening.error} onRetry={() => void opening.refetch()} />
          ) : (
            <div className="loading" role="status">
              <span className="bar-busy" />
              {t('viewer.opening')}
            </div>
          )}
        </main>
      )}
    </div>
  );
}

/** Opens the view once. Opening again would be another entry in the ledger. */
function useOpening(sop: string) {
  const opened = useRef<Promise<OpenedView> | null>(null);
  const queries = useQueryClient();
  useEffect(() => () => queries.removeQueries({ queryKey: ['view', sop] }), [queries, sop]);
  return useQuery({
    queryKey: ['view', sop],
    queryFn: () => {
      opened.current ??= api.openView(sop);
      return opened.current.catch((error: unknown) => {
        opened.current = null;
        throw error;
      });
    },
    staleTime: Infinity,
    retry: false,
    refetchOnWindowFocus: false,
    refetchOnReconnect: false,
  });
}

/** The worklist's line of the order that carried the view; until then, any of the film's. */
function useOrder(sop: string, order: string | undefined): WorkItem | undefined {
  const { data } = useQuery({ queryKey: ['worklist'], queryFn: api.worklist, staleTime: 60_000 });
  const items = data?.filter((item) => item.sop_instance === sop) ?? [];
  return items.find((item) => item.order === order) ?? (order ? undefined : items[0]);
}

export function Refusal({ error, onRetry }: { error: unknown; onRetry: () => void }) {
  const { t, problemWords } = useWords();
  if (!(error instanceof Problem) || !error.refused) {
    return (
      <section className="viewer-card">
        <h2>{t('viewer.failed')}</h2>
        <ProblemNote error={error} onRetry={onRetry} />
      </section>
    );
  }
  const words = problemWords(error);
  return (
    <section className="viewer-card refusal" role="alert" data-refused>
      <span className="refusal-mark">
        <Icon name="refuse" size={30} />
      </span>
      <h2>{t('viewer.refused')}</h2>
      <p className="muted">{t('viewer.refusedLead')}</p>
      {error.reasons.length > 0 ? <Reasons reasons={error.reasons} /> : <p>{words.message}</p>}
      {words.remedy && (
        <p className="remedy">
          <span>{t('common.remedy')}</span>
          {words.remedy}
        </p>
      )}
      <a className="button" href={href('worklist')}>
        {t('viewer.back')}
      </a>
    </section>
  );
}
