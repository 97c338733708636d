import { useMutation } from '@tanstack/react-query';
import { useState } from 'react';
import { api } from '../api/client';
import type { LedgerEntry, LedgerPage as Page, LedgerVerification } from '../api/types';
import { count, dateTime, shorten } from '../ui/format';
import { Icon } from '../ui/Icon';
import { Badge, Code, Empty, Fact, PageHead } from '../ui/parts';
import { ProblemNote } from '../ui/ProblemNote';
import { useWords } from '../ui/useWords';
import { Query } from './Query';

const LIMIT = 25;

export function LedgerPage() {
  const { t } = useWords();
  const [before, setBefore] = useState<number | null>(null);
  const verification = useMutation({ mutationFn: api.verifyLedger });
  return (
    <>
      <PageHead title={t('ledger.title')} lead={t('ledger.lead')}>
        <button
          type="button"
          className="button button-primary"
          disabled={verification.isPending}
          onClick={() => verification.mutate()}
        >
          <Icon name="check" size={16} />
          {t(verification.isPending ? 'ledger.verifying' : 'ledger.verify')}
        </button>
      </PageHead>
      <div aria-live="polite">
        {verification.isPending && <span className="bar-busy" />}
        {verification.error && <ProblemNote error={verification.error} />}
        {verification.data && <Verification found={verification.data} />}
      </div>
      <Query
        name={['ledger', before]}
        load={() => api.ledger(before, LIMIT)}
        {...(before === null ? { every: 15_000 } : {})}
      >
        {(page) => (
          <>
            <State page={page} />
            {page.entries.length === 0 ? (
              <Empty text={t('ledger.empty')} />
            ) : (
              <Entries page={page} first={before === null} onGo={setBefore} />
            )}
          </>
        )}
      </Query>
    </>
  );
}

function Verification({ found }: { found: LedgerVerification }) {
  const { t, language, duration } = useWords();
  return (
    <div className={`note ${found.intact ? 'note-ok' : 'note-danger'}`} data-intact={found.intact}>
      <strong>{t(found.intact ? 'ledger.intact' : 'ledger.broken')}</strong>
      <p>
        {found.intact
          ? t('ledger.intactLead', { size: count(found.size, language) })
          : t('ledger.brokenLead', { count: found.problems.length })}{' '}
        <span className="muted">
          {duration(found.elapsed_ms)} · {found.root.slice(0, 16)}…
        </span>
      </p>
      {found.problems.length > 0 && (
        <ul>
          {found.problems.map((problem) => (
            <li key={problem}>{problem}</li>
          ))}
        </ul>
      )}
    </div>
  );
}

function State({ page }: { page: Page }) {
  const { t, language } = useWords();
  return (
    <section className="card">
      <dl className="facts facts-row">
        <Fact label={t('ledger.size')}>{count(page.size, language)}</Fact>
        <Fact label={t('ledger.root')}>
          <Code value={page.root} head={16} tail={10} />
        </Fact>
      </dl>
      {page.checkpoint && (
        <details className="checkpoint">
          <summary>{t('ledger.checkpoint')}</summary>
          <pre tabIndex={0}>{page.checkpoint}</pre>
        </details>
      )}
    </section>
  );
}

interface EntriesProps {
  page: Page;
  first: boolean;
  onGo: (before: number | null) => void;
}

function Entries({ page, first, onGo }: EntriesProps) {
  const { t, language } = useWords();
  const newest = page.entries[0]!.index;
  const oldest = page.entries.at(-1)!.index;
  return (
    <div className="card table-card">
      <table className="ledger-table">
        <thead>
          <tr>
            <th scope="col">{t('ledger.index')}</th>
            <th scope="col">{t('ledger.at')}</th>
            <th scope="col">{t('ledger.kind')}</th>
            <th scope="col">{t('ledger.summary')}</th>
            <th scope="col">{t('ledger.leaf')}</th>
          </tr>
        </thead>
        <tbody>
          {page.entries.map((entry) => (
            <EntryRow key={entry.index} entry={entry} />
          ))}
        </tbody>
      </table>
      <div className="pager">
        <span className="muted">
          {t('ledger.range', { from: oldest, to: newest, size: count(page.size, language) })}
        </span>
        <button type="button" className="button" disabled={first} onClick={() => onGo(null)}>
          {t('ledger.newest')}
        </button>
        <button
          type="button"
          className="button"
          disabled={oldest === 0}
          onClick={() => onGo(oldest)}
        >
          {t('ledger.older')}
        </button>
      </div>
    </div>
  );
}

/** One value of an entry as text; nested values as JSON. */
export function plain(value: unknown): string {
  if (value === null || value === undefined || value === '') return '–';
  if (Array.isArray(value) && value.every((item) => typeof item !== 'object')) {
    return value.length ? value.join(', ') : '–';
  }
  return typeof value === 'object' ? JSON.stringify(value) : String(value);
}

function EntryRow({ entry }: { entry: LedgerEntry }) {
  const { optional } = useWords();
  return (
    <tr>
      <td className="number">{entry.index}</td>
      <td className="nowrap mono">{dateTime(entry.at, true)}</td>
      <td>
        <Badge tone="neutral">{optional(`kind.${entry.kind.replace(/[.-]/g, '_')}`, entry.kind)}</Badge>
      </td>
      <td>
        <dl className="pairs">
          {Object.entries(entry.summary).map(([key, value]) => (
            <div key={key}>
              <dt>{optional(`field.${key}`, key)}</dt>
              <dd title={plain(value)}>
                {optional(`value.${plain(value)}`, shorten(plain(value), 24, 8))}
              </dd>
            </div>
          ))}
        </dl>
      </td>
      <td>
        <Code value={entry.leaf_hash} head={6} tail={4} />
      </td>
    </tr>
  );
}
