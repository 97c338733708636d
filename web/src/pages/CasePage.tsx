import { useQueryClient } from '@tanstack/react-query';
import { api } from '../api/client';
import type { Case, CaseStep } from '../api/types';
import { href } from '../app/route';
import { CaseClock, useNow } from '../ui/CaseClock';
import { dateTime, dueTime } from '../ui/format';
import { Icon } from '../ui/Icon';
import { Badge, Code, Fact, PageHead } from '../ui/parts';
import { useWords } from '../ui/useWords';
import { CaseBadges } from './CasesPage';
import { CaseProgress } from './OverviewPage';
import { Query } from './Query';
import { Verdict } from './trace/Verdict';

export function CasePage({ id }: { id: string }) {
  const { t } = useWords();
  return (
    <>
      <a className="back-link" href={href('cases')}>
        <Icon name="back" size={16} />
        {t('cases.title')}
      </a>
      <Query name={['case', id]} load={() => api.case(id)} every={10_000}>
        {(item) => <CaseDetail item={item} />}
      </Query>
      <Traces id={id} />
    </>
  );
}

/** What was traced in this case; where a second person decides, and where reports are. */
function Traces({ id }: { id: string }) {
  const { t } = useWords();
  const cache = useQueryClient();
  const changed = () => void cache.invalidateQueries({ queryKey: ['case', id] });
  return (
    <section className="case-traces" aria-label={t('cases.traces')}>
      <Query name={['case', id, 'traces']} load={() => api.traces(id)} every={10_000}>
        {(traces) =>
          traces.length > 0 && (
            <>
              <h2>{t('cases.traces')}</h2>
              <div className="stack">
                {traces.map((trace) => (
                  <Verdict key={trace.id} result={trace} onResult={changed} />
                ))}
              </div>
            </>
          )
        }
      </Query>
    </section>
  );
}

function CaseDetail({ item }: { item: Case }) {
  const { t, named } = useWords();
  return (
    <>
      <PageHead title={named({ en: item.title_en, zh: item.title_zh })} lead={item.id}>
        <CaseBadges item={item} />
      </PageHead>
      <div className="grid grid-case">
        <section className="card">
          <div className="card-head">
            <h2>{t('cases.steps')}</h2>
          </div>
          <CaseProgress item={item} />
          <ol className="steps">
            {(item.steps ?? []).map((step) => (
              <Step key={step.code} step={step} closed={Boolean(item.closed_at)} />
            ))}
          </ol>
        </section>
        <aside className="card case-side">
          <h2>{t('cases.clock')}</h2>
          <CaseClock item={item} size={196} />
          <dl className="facts">
            <Fact label={t('cases.opened')}>{dateTime(item.opened_at, true)}</Fact>
            <Fact label={t('cases.due')}>{dateTime(item.due_at)}</Fact>
            {item.closed_at && <Fact label={t('cases.closed')}>{dateTime(item.closed_at)}</Fact>}
            {item.recipient_display && (
              <Fact label={t('cases.recipient')}>{item.recipient_display}</Fact>
            )}
            {item.view_id && (
              <Fact label={t('cases.view')}>
                <Code value={item.view_id} head={14} />
              </Fact>
            )}
            {item.sop_instance && (
              <Fact label={t('cases.film')}>
                <Code value={item.sop_instance} head={10} tail={8} />
              </Fact>
            )}
          </dl>
        </aside>
      </div>
    </>
  );
}

export function stepState(step: CaseStep, now: number): 'done' | 'late' | 'waiting' {
  if (step.done_at) return 'done';
  return now > Date.parse(step.due_at) ? 'late' : 'waiting';
}

function Step({ step, closed }: { step: CaseStep; closed: boolean }) {
  const { t, named } = useWords();
  const now = useNow();
  const state = stepState(step, now);
  return (
    <li className="step" data-state={state}>
      <span className="step-mark">
        {state === 'done' && <Icon name="check" size={14} />}
        {state === 'late' && <Icon name="clock" size={14} />}
      </span>
      <div>
        <strong>{named(step)}</strong>
        <small className="muted">
          {step.done_at
            ? t('cases.done', { time: dateTime(step.done_at) })
            : t('cases.dueAt', { time: dueTime(step.due_at, now) })}
        </small>
      </div>
      {state === 'late' && !closed && <Badge tone="danger">{t('cases.late')}</Badge>}
    </li>
  );
}
