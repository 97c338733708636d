import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { api } from '../api/client';
import type { WorkItem } from '../api/types';
import { href } from '../app/route';
import { useNow } from '../ui/CaseClock';
import { coarseSpan, dateTime, dicomDate } from '../ui/format';
import { Badge, Chips, Empty, PageHead } from '../ui/parts';
import { SearchField } from '../ui/SearchField';
import { useWords } from '../ui/useWords';
import { Query } from './Query';

export function WorklistPage() {
  const { t } = useTranslation();
  const [search, setSearch] = useState('');
  return (
    <>
      <PageHead title={t('worklist.title')} lead={t('worklist.lead')}>
        <SearchField label={t('worklist.search')} value={search} onChange={setSearch} />
      </PageHead>
      <Query name={['worklist']} load={api.worklist} every={60_000}>
        {(items) => <Worklist items={items} search={search} />}
      </Query>
    </>
  );
}

/** True when every word of the search occurs somewhere in the item. */
export function matches(item: WorkItem, search: string): boolean {
  const text = [
    item.order,
    item.accession,
    item.patient,
    item.need.en,
    item.need.zh,
    ...item.regions.flatMap((region) => [region.en, region.zh]),
  ]
    .join(' ')
    .toLowerCase();
  return search
    .toLowerCase()
    .split(/\s+/)
    .every((word) => text.includes(word));
}

function Worklist({ items, search }: { items: readonly WorkItem[]; search: string }) {
  const { t } = useTranslation();
  if (items.length === 0) return <Empty text={t('worklist.empty')} hint={t('worklist.emptyHint')} />;
  const found = items.filter((item) => matches(item, search));
  if (found.length === 0) return <Empty text={t('worklist.noMatch')} />;
  return (
    <div className="card table-card">
      <table>
        <thead>
          <tr>
            <th scope="col">{t('worklist.need')}</th>
            <th scope="col">{t('worklist.accession')}</th>
            <th scope="col">{t('worklist.patient')}</th>
            <th scope="col">{t('worklist.regions')}</th>
            <th scope="col">{t('worklist.received')}</th>
            <th scope="col">{t('worklist.validUntil')}</th>
            <th scope="col">
              <span className="visually-hidden">{t('worklist.open')}</span>
            </th>
          </tr>
        </thead>
        <tbody>
          {found.map((item) => (
            <Row key={`${item.order} ${item.sop_instance}`} item={item} />
          ))}
        </tbody>
      </table>
    </div>
  );
}

function Row({ item }: { item: WorkItem }) {
  const { t, named, optional } = useWords();
  const target = href('view', item.sop_instance);
  return (
    <tr className="row-link" onClick={() => location.assign(target)}>
      <td>
        <strong>{named(item.need)}</strong>
        <small className="muted mono">{item.order}</small>
      </td>
      <td>
        <span className="mono">{item.accession}</span>
        <small className="muted">
          {item.modality} · {dicomDate(item.study_date)}
        </small>
      </td>
      <td className="mono">{item.patient}</td>
      <td>
        <Chips items={item.regions} />
      </td>
      <td className="nowrap">{dateTime(item.received_at)}</td>
      <td className="nowrap">
        <Validity until={item.valid_until} />
        {item.status !== 'active' && (
          <Badge tone="warn">{optional(`status.${item.status}`, item.status)}</Badge>
        )}
      </td>
      <td>
        <a
          className="button button-primary"
          href={target}
          onClick={(event) => event.stopPropagation()}
          aria-label={t('worklist.openOrder', {
            need: named(item.need),
            accession: item.accession,
          })}
        >
          {t('worklist.open')}
        </a>
      </td>
    </tr>
  );
}

function Validity({ until }: { until: string }) {
  const { t, language } = useWords();
  const left = Date.parse(until) - useNow(30_000);
  return (
    <>
      {dateTime(until)}
      <small className={left < 3600_000 ? 'tone-warn' : 'muted'}>
        {left <= 0
          ? t('worklist.expired')
          : t('worklist.expires', { time: coarseSpan(left, language) })}
      </small>
    </>
  );
}
