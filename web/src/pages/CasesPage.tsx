import { api } from '../api/client';
import type { Case } from '../api/types';
import { href } from '../app/route';
import { CaseClock } from '../ui/CaseClock';
import { dateTime } from '../ui/format';
import { Badge, Empty, PageHead } from '../ui/parts';
import { useWords } from '../ui/useWords';
import { CaseProgress } from './OverviewPage';
import { Query } from './Query';

export function CasesPage() {
  const { t } = useWords();
  return (
    <>
      <PageHead title={t('cases.title')} lead={t('cases.lead')} />
      <Query name={['cases']} load={api.cases} every={10_000}>
        {(cases) =>
          cases.length === 0 ? (
            <Empty text={t('cases.empty')} hint={t('cases.emptyHint')} />
          ) : (
            <ul className="stack">
              {cases.map((item) => (
                <li key={item.id}>
                  <CaseRow item={item} />
                </li>
              ))}
            </ul>
          )
        }
      </Query>
    </>
  );
}

function CaseRow({ item }: { item: Case }) {
  const { t, named } = useWords();
  return (
    <a className="card case-row" href={href('cases', item.id)}>
      <CaseClock item={item} size={96} />
      <div className="case-row-text">
        <h2>{named({ en: item.title_en, zh: item.title_zh })}</h2>
        <p className="muted">
          <span className="mono">{item.id}</span> · {t('cases.opened')} {dateTime(item.opened_at)}
          {item.recipient_display && ` · ${t('cases.recipient')} ${item.recipient_display}`}
        </p>
        <CaseProgress item={item} />
      </div>
      <CaseBadges item={item} />
    </a>
  );
}

export function CaseBadges({ item }: { item: Case }) {
  const { t } = useWords();
  return (
    <div className="badges">
      {(item.waiting ?? 0) > 0 && <Badge tone="info">{t('cases.waiting')}</Badge>}
      <Badge tone={item.closed_at ? 'neutral' : 'warn'}>
        {t(item.closed_at ? 'cases.isClosed' : 'cases.isOpen')}
      </Badge>
      <Badge tone="info">{t('cases.level', { level: item.level })}</Badge>
    </div>
  );
}
