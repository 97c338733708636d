import { useMutation, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { api } from '../api/client';
import type { Approval } from '../api/types';
import { dateTime } from '../ui/format';
import { Badge, Code, Fact, PageHead } from '../ui/parts';
import type { Tone } from '../ui/parts';
import { ProblemNote } from '../ui/ProblemNote';
import { useWords } from '../ui/useWords';
import { Content } from './approvals/Content';
import { Doing } from './approvals/Doing';
import { ReidentifyForm } from './approvals/ReidentifyForm';
import { Query } from './Query';

const NAME = ['approvals'];
const TONES: Record<string, Tone> = {
  pending: 'warn',
  approved: 'info',
  refused: 'danger',
  used: 'ok',
};

export function ApprovalsPage() {
  const { t } = useWords();
  return (
    <>
      <PageHead title={t('approvals.title')} lead={t('approvals.lead')} />
      <ReidentifyForm />
      <Query name={NAME} load={api.approvals} every={10_000}>
        {(items) => {
          const waiting = items.filter((item) => item.may_decide && item.state === 'pending');
          const mine = items.filter((item) => item.mine);
          const rest = items.filter((item) => !waiting.includes(item) && !item.mine);
          return (
            <>
              <Group title={t('approvals.waiting')} items={waiting}>
                <p className="muted">{t('approvals.empty')}</p>
              </Group>
              <Group title={t('approvals.mine')} items={mine} />
              <Group title={t('approvals.others')} items={rest} />
            </>
          );
        }}
      </Query>
    </>
  );
}

function Group({
  title,
  items,
  children,
}: {
  title: string;
  items: readonly Approval[];
  children?: React.ReactNode;
}) {
  if (items.length === 0 && !children) return null;
  return (
    <section className="approval-group">
      <h2>{title}</h2>
      {items.length === 0 ? (
        children
      ) : (
        <ul className="stack">
          {items.map((item) => (
            <li key={item.id}>
              <Item item={item} />
            </li>
          ))}
        </ul>
      )}
    </section>
  );
}

function Item({ item }: { item: Approval }) {
  const { t, named } = useWords();
  return (
    <article className="card approval" data-approval={item.id} data-state={item.state}>
      <div className="card-head">
        <h3>{named(item.action)}</h3>
        <Badge tone={TONES[item.state] ?? 'neutral'}>
          {t(`approvals.state.${item.state as 'pending'}`)}
        </Badge>
      </div>
      <div className="approval-body">
        <div className="approval-what">
          <p className="approval-reason">{item.reason}</p>
          <Content item={item} />
        </div>
        <dl className="facts">
          <Fact label={t('approvals.who')}>{item.requester_display}</Fact>
          <Fact label={t('approvals.purpose')}>{named(item.purpose)}</Fact>
          <Fact label={t('approvals.when')}>{dateTime(item.requested_at)}</Fact>
          {['pending', 'approved'].includes(item.state) && (
            <Fact label={t('approvals.until')}>{dateTime(item.expires_at)}</Fact>
          )}
          {item.decided_by && (
            <Fact label={t('approvals.decidedBy')} hint={item.note}>
              {item.decided_by_display}
            </Fact>
          )}
          <Fact label={t('approvals.digest')}>
            <Code value={item.digest} />
          </Fact>
          <Fact label={t('approvals.ledger')}>
            {t('common.index', { index: item.ledger_index })}
          </Fact>
        </dl>
      </div>
      {item.may_decide && <Decide item={item} />}
      {item.mine && <Doing item={item} />}
    </article>
  );
}

function Decide({ item }: { item: Approval }) {
  const { t } = useWords();
  const [note, setNote] = useState('');
  const queries = useQueryClient();
  const decide = useMutation({
    mutationFn: (how: 'approve' | 'refuse') => api.decide(item.id, how, note.trim()),
    onSuccess: () => queries.invalidateQueries({ queryKey: NAME }),
  });
  const pending = item.state === 'pending';
  return (
    <div className="approval-decide">
      <label>
        {t('approvals.note')}
        <input value={note} maxLength={500} onChange={(e) => setNote(e.currentTarget.value)} />
      </label>
      <div className="form-foot">
        {pending && (
          <button
            type="button"
            className="button button-primary"
            disabled={decide.isPending}
            onClick={() => decide.mutate('approve')}
          >
            {t('approvals.approve')}
          </button>
        )}
        <button
          type="button"
          className="button"
          disabled={decide.isPending}
          onClick={() => decide.mutate('refuse')}
        >
          {t(pending ? 'approvals.refuse' : 'approvals.revoke')}
        </button>
      </div>
      {decide.error && <ProblemNote error={decide.error} />}
    </div>
  );
}
