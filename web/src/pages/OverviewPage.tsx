import { useTranslation } from 'react-i18next';
import { api } from '../api/client';
import type { Case, Overview } from '../api/types';
import { pagesOf } from '../app/roles';
import { href } from '../app/route';
import { useSession } from '../app/session';
import { CaseClock } from '../ui/CaseClock';
import { ago, count, dateTime } from '../ui/format';
import { HourChart } from '../ui/HourChart';
import { Icon } from '../ui/Icon';
import type { IconName } from '../ui/Icon';
import { Badge, Code, Fact, PageHead } from '../ui/parts';
import type { Tone } from '../ui/parts';
import { useWords } from '../ui/useWords';
import { Query } from './Query';

export function OverviewPage() {
  const { t } = useTranslation();
  return (
    <Query name={['overview']} load={api.overview} every={10_000}>
      {(overview) => (
        <>
          <PageHead title={t('overview.title')}>
            <small className="muted">
              {t('common.updated', { time: dateTime(overview.now) })}
            </small>
          </PageHead>
          <OpenCases cases={overview.open_cases ?? []} />
          <Chain overview={overview} />
          <div className="grid grid-wide">
            <ViewsCard overview={overview} />
            <GatewayCard overview={overview} />
            <LedgerCard overview={overview} />
            <BreakerCard state={overview.breaker} />
          </div>
        </>
      )}
    </Query>
  );
}

function OpenCases({ cases }: { cases: readonly Case[] }) {
  const { t, named } = useWords();
  const allowed = pagesOf(useSession().session?.role ?? '').includes('cases');
  return (
    <section aria-label={t('overview.openCases')}>
      {cases.map((item) => (
        <article className="case-banner" key={item.id}>
          <CaseClock item={item} size={104} />
          <div className="case-banner-text">
            <small>
              {t('overview.openCases')} · {item.id}
            </small>
            <h2>{named({ en: item.title_en, zh: item.title_zh })}</h2>
            <CaseProgress item={item} />
          </div>
          {allowed && (
            <a className="button button-primary" href={href('cases', item.id)}>
              {t('overview.toCase')}
            </a>
          )}
        </article>
      ))}
    </section>
  );
}

export function CaseProgress({ item }: { item: Case }) {
  const { t } = useTranslation();
  const steps = item.steps ?? [];
  const done = steps.filter((step) => step.done_at).length;
  return (
    <div className="progress-line">
      <span className="meter" aria-hidden="true">
        <span style={{ width: `${steps.length ? (100 * done) / steps.length : 0}%` }} />
      </span>
      {t('cases.progress', { done, total: steps.length })}
    </div>
  );
}

interface Stage {
  icon: IconName;
  title: string;
  value: number;
  unit: string;
  notes: { text: string; tone?: Tone }[];
}

/** The way of the data in four stations: gateway, archive, delivery, ledger. */
function Chain({ overview }: { overview: Overview }) {
  const { t, language } = useWords();
  const { edge } = overview;
  const stages: Stage[] = [
    {
      icon: 'gateway',
      title: t('overview.gateway'),
      value: edge.processed,
      unit: t('overview.processed'),
      notes: [
        {
          text: t('overview.quarantined', { count: edge.quarantined }),
          ...(edge.quarantined ? { tone: 'warn' as const } : {}),
        },
      ],
    },
    {
      icon: 'archive',
      title: t('overview.archive'),
      value: overview.films,
      unit: t('overview.films'),
      notes: [{ text: t('overview.patients', { count: overview.patients }) }],
    },
    {
      icon: 'access',
      title: t('overview.delivery'),
      value: overview.views_today,
      unit: t('overview.views'),
      notes: [
        {
          text: t('overview.refused', { count: overview.refused_today }),
          ...(overview.refused_today ? { tone: 'warn' as const } : {}),
        },
      ],
    },
    {
      icon: 'ledger',
      title: t('overview.ledger'),
      value: overview.ledger.size,
      unit: t('overview.entries'),
      notes: [{ text: checkpointWords(overview, t, language) }],
    },
  ];
  return (
    <ol className="chain" aria-label={t('overview.chain')}>
      {stages.map((stage) => (
        <li key={stage.title} className="card chain-stage">
          <h2>
            <Icon name={stage.icon} size={18} />
            {stage.title}
          </h2>
          <p className="figure">
            <strong>{count(stage.value, language)}</strong>
            <span>{stage.unit}</span>
          </p>
          {stage.notes.map((note) => (
            <p key={note.text} className={note.tone ? `tone-${note.tone}` : 'muted'}>
              {note.text}
            </p>
          ))}
        </li>
      ))}
    </ol>
  );
}

function checkpointWords(
  overview: Overview,
  t: ReturnType<typeof useWords>['t'],
  language: string,
): string {
  const at = overview.ledger.checkpoint_at;
  if (!at) return t('overview.noCheckpoint');
  return `${t('overview.checkpoint')} ${ago(at, Date.parse(overview.now), language)}`;
}

function ViewsCard({ overview }: { overview: Overview }) {
  const { t } = useTranslation();
  const counts = overview.views_by_hour ?? [];
  const total = counts.reduce((sum, value) => sum + value, 0);
  return (
    <section className="card span-2">
      <h2>{t('overview.chart')}</h2>
      <p className="muted">{t('overview.chartHint', { total })}</p>
      <HourChart counts={counts} end={new Date(overview.now)} />
    </section>
  );
}

function GatewayCard({ overview }: { overview: Overview }) {
  const { t, language, duration } = useWords();
  const { edge } = overview;
  const maySee = pagesOf(useSession().session?.role ?? '').includes('quarantine');
  const [tone, state]: [Tone, string] = edge.spooled
    ? ['warn', t('overview.backlog', { count: edge.spooled })]
    : edge.last_received_at
      ? ['ok', t('overview.flowing')]
      : ['neutral', t('overview.waiting')];
  return (
    <section className="card">
      <div className="card-head">
        <h2>{t('overview.gateway')}</h2>
        <Badge tone={tone}>{state}</Badge>
      </div>
      <p className="muted">{t('overview.listening', { ae: edge.ae_title, port: edge.port })}</p>
      <dl className="facts">
        <Fact label={t('overview.lastReceived')}>
          {edge.last_received_at
            ? ago(edge.last_received_at, Date.parse(overview.now), language)
            : t('overview.never')}
        </Fact>
        <Fact label={t('overview.latency')}>
          {edge.p50_ms == null ? t('common.unavailable') : duration(edge.p50_ms)}
        </Fact>
      </dl>
      {edge.quarantined > 0 && (
        <div className="note note-warn">
          {t('overview.quarantineWaiting', { count: edge.quarantined })}
          {maySee && <a href={href('quarantine')}>{t('overview.toQuarantine')}</a>}
        </div>
      )}
    </section>
  );
}

function LedgerCard({ overview }: { overview: Overview }) {
  const { t, language } = useWords();
  return (
    <section className="card span-2">
      <h2>{t('overview.ledger')}</h2>
      <dl className="facts facts-row">
        <Fact label={t('ledger.size')}>{count(overview.ledger.size, language)}</Fact>
        <Fact label={t('overview.root')}>
          <Code value={overview.ledger.root} head={12} tail={8} />
        </Fact>
        <Fact label={t('overview.checkpoint')}>
          {overview.ledger.checkpoint_at
            ? dateTime(overview.ledger.checkpoint_at)
            : t('overview.noCheckpoint')}
        </Fact>
      </dl>
    </section>
  );
}

const BREAKER_TONE: Record<string, Tone> = { closed: 'ok', 'half-open': 'warn', open: 'danger' };

function BreakerCard({ state }: { state: string }) {
  const { t, optional } = useWords();
  return (
    <section className="card">
      <div className="card-head">
        <h2>{t('overview.breaker')}</h2>
        <Badge tone={BREAKER_TONE[state] ?? 'neutral'}>{optional(`breaker.${state}`, state)}</Badge>
      </div>
      <p className="muted">{optional(`overview.breakerHint.${state}`, '')}</p>
    </section>
  );
}
