import { useState } from 'react';
import { api } from '../api/client';
import type { ViewRow } from '../api/types';
import { dateTime } from '../ui/format';
import { Badge, Chips, Code, Empty, PageHead } from '../ui/parts';
import { SearchField } from '../ui/SearchField';
import { useWords } from '../ui/useWords';
import { Query } from './Query';

const LIMIT = 200;
const OUTCOMES = ['all', 'allowed', 'refused'] as const;
type Outcome = (typeof OUTCOMES)[number];

export function AccessPage() {
  const { t } = useWords();
  const [search, setSearch] = useState('');
  const [outcome, setOutcome] = useState<Outcome>('all');
  return (
    <>
      <PageHead title={t('access.title')} lead={t('access.lead')}>
        <div className="segments" role="group" aria-label={t('access.filter')}>
          {OUTCOMES.map((name) => (
            <button
              key={name}
              type="button"
              aria-pressed={outcome === name}
              onClick={() => setOutcome(name)}
            >
              {name === 'all' ? t('common.all') : t(`access.${name}`)}
            </button>
          ))}
        </div>
        <SearchField label={t('access.search')} value={search} onChange={setSearch} />
      </PageHead>
      <Query name={['views']} load={() => api.views(LIMIT)} every={10_000}>
        {(rows) => <Views rows={rows} search={search} outcome={outcome} />}
      </Query>
    </>
  );
}

export function selectViews(
  rows: readonly ViewRow[],
  search: string,
  outcome: Outcome,
): readonly ViewRow[] {
  const wanted = search.trim().toLowerCase();
  return rows.filter(
    (row) =>
      (outcome === 'all' || row.allowed === (outcome === 'allowed')) &&
      [row.recipient, row.recipient_display, row.order, row.view_id ?? '', row.sop_instance]
        .join(' ')
        .toLowerCase()
        .includes(wanted),
  );
}

interface ViewsProps {
  rows: readonly ViewRow[];
  search: string;
  outcome: Outcome;
}

function Views({ rows, search, outcome }: ViewsProps) {
  const { t } = useWords();
  if (rows.length === 0) return <Empty text={t('access.empty')} />;
  const found = selectViews(rows, search, outcome);
  if (found.length === 0) return <Empty text={t('access.noMatch')} />;
  return (
    <div className="card table-card">
      <table>
        <thead>
          <tr>
            <th scope="col">{t('access.at')}</th>
            <th scope="col">{t('access.outcome')}</th>
            <th scope="col">{t('access.recipient')}</th>
            <th scope="col">{t('access.regions')}</th>
            <th scope="col">{t('access.order')}</th>
            <th scope="col">{t('access.view')}</th>
            <th scope="col">{t('access.channel')}</th>
            <th scope="col">{t('access.ledger')}</th>
          </tr>
        </thead>
        <tbody>
          {found.map((row) => (
            <Row key={row.ledger_index} row={row} />
          ))}
        </tbody>
      </table>
      <div className="pager">
        <span className="muted">
          {t('access.shown', { shown: found.length, total: rows.length })}
        </span>
      </div>
    </div>
  );
}

function Row({ row }: { row: ViewRow }) {
  const { t, named, optional } = useWords();
  return (
    <tr>
      <td className="nowrap mono">{dateTime(row.at, true)}</td>
      <td>
        <Badge tone={row.allowed ? 'ok' : 'danger'}>
          {t(row.allowed ? 'access.allowed' : 'access.refused')}
        </Badge>
      </td>
      <td className="nowrap">
        <strong>{row.recipient_display || row.recipient}</strong>
        <small className="muted mono">{row.recipient}</small>
      </td>
      <td>
        {row.allowed ? (
          <Chips items={row.regions} />
        ) : (
          <span className="tone-danger">{row.reasons.map(named).join(' ')}</span>
        )}
      </td>
      <td className="mono nowrap">{row.order || '–'}</td>
      <td>{row.view_id ? <Code value={row.view_id} head={10} tail={4} /> : '–'}</td>
      <td className="nowrap">{optional(`channel.${row.channel}`, row.channel)}</td>
      <td className="number">{row.ledger_index}</td>
    </tr>
  );
}
