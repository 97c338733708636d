import { useMutation, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { api } from '../../api/client';
import type { TraceResult } from '../../api/types';
import { dateTime } from '../../ui/format';
import { ProblemNote } from '../../ui/ProblemNote';
import { useWords } from '../../ui/useWords';

interface Props {
  result: TraceResult;
  onResult: (result: TraceResult) => void;
}

/** Where the second person stands, and what each of the two can do now. */
export function SecondPerson({ result, onResult }: Props) {
  const { t } = useWords();
  const second = result.second;
  if (!second) return null;
  return (
    <section className="second" aria-label={t('second.title')}>
      <h3>{t('second.title')}</h3>
      <p>{sentence(t, second)}</p>
      {second.note && <blockquote>{second.note}</blockquote>}
      {result.verdict === 'waiting' || second.may_decide ? (
        <Contain result={result} onResult={onResult} />
      ) : (
        result.contained_at && <Contained result={result} />
      )}
      {second.may_ask && second.state === 'not-asked' && (
        <Act
          label={t('second.ask')}
          act={() => api.askSecond(result.id)}
          onDone={onResult}
          primary
        />
      )}
      {second.may_decide && <Decide result={result} onResult={onResult} />}
    </section>
  );
}

function sentence(t: ReturnType<typeof useWords>['t'], second: NonNullable<TraceResult['second']>) {
  switch (second.state) {
    case 'pending':
      return t(second.may_decide ? 'second.yours' : 'second.pending', {
        by: second.asked_by,
        until: dateTime(second.expires_at),
        approval: second.approval,
      });
    case 'confirmed':
      return t('second.confirmed', { first: second.asked_by, second: second.decided_by });
    case 'refused':
      return t('second.refused', { second: second.decided_by });
    default:
      return t('second.notAsked');
  }
}

function Contain({ result, onResult }: Props) {
  const { t } = useWords();
  const cache = useQueryClient();
  if (result.contained_at) return <Contained result={result} />;
  if (!result.case) return null;
  const incident = result.case;
  return (
    <div className="contain">
      <p className="muted">{t('second.containHint')}</p>
      <Act
        label={t('second.contain')}
        act={async () => {
          await api.contain(incident);
          await cache.invalidateQueries({ queryKey: ['case', incident] });
          return api.trace(result.id);
        }}
        onDone={onResult}
        danger
      />
    </div>
  );
}

function Contained({ result }: { result: TraceResult }) {
  const { t } = useWords();
  return (
    <p className="note note-ok" data-contained>
      {t('second.contained', {
        time: dateTime(result.contained_at ?? ''),
        by: result.contained_by ?? '',
      })}
    </p>
  );
}

function Decide({ result, onResult }: Props) {
  const { t } = useWords();
  const [note, setNote] = useState('');
  return (
    <div className="decide">
      <label>
        {t('second.note')}
        <textarea
          rows={2}
          maxLength={2000}
          value={note}
          onChange={(event) => setNote(event.currentTarget.value)}
        />
      </label>
      <div className="form-foot">
        <Act
          label={t('second.confirm')}
          act={() => api.confirmTrace(result.id, note.trim())}
          onDone={onResult}
          primary
        />
        <Act
          label={t('second.refuse')}
          act={() => api.refuseTrace(result.id, note.trim())}
          onDone={onResult}
        />
      </div>
    </div>
  );
}

interface ActProps {
  label: string;
  act: () => Promise<TraceResult>;
  onDone: (result: TraceResult) => void;
  primary?: boolean;
  danger?: boolean;
}

function Act({ label, act, onDone, primary = false, danger = false }: ActProps) {
  const doing = useMutation<TraceResult>({ mutationFn: act, onSuccess: onDone });
  const kind = primary ? ' button-primary' : danger ? ' button-danger' : '';
  return (
    <>
      <button
        type="button"
        className={`button${kind}`}
        disabled={doing.isPending}
        onClick={() => doing.mutate()}
      >
        {label}
      </button>
      {doing.error && <ProblemNote error={doing.error} />}
    </>
  );
}
