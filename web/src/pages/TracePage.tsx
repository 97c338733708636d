import { useEffect, useState } from 'react';
import type { FormEvent } from 'react';
import { Icon } from '../ui/Icon';
import { PageHead } from '../ui/parts';
import { ProblemNote } from '../ui/ProblemNote';
import { useWords } from '../ui/useWords';
import { DropZone } from './trace/DropZone';
import { useQueue } from './trace/queue';
import type { Copy } from './trace/queue';
import { Verdict } from './trace/Verdict';

export function TracePage() {
  const { t } = useWords();
  const [purpose, setPurpose] = useState('');
  const queue = useQueue();
  const done = queue.copies.filter((copy) => copy.state === 'done');
  const left = queue.copies.filter((copy) => copy.state !== 'done');
  const asking = left.length > 0 || queue.copies.length === 0;
  const ready = left.length > 0 && purpose.trim() !== '';

  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (ready && !queue.running) void queue.start(purpose.trim());
  };

  return (
    <>
      <PageHead title={t('trace.title')} lead={t('trace.lead')} />
      {asking && (
        <form className="card trace-form" onSubmit={submit}>
          <div className="trace-copies">
            <DropZone disabled={queue.running} full={left.length > 0} onFiles={queue.add} />
            {left.length > 0 && (
              <ul className="copies" aria-label={t('trace.copies')}>
                {left.map((copy) => (
                  <CopyRow
                    key={copy.id}
                    copy={copy}
                    onRemove={queue.running ? null : () => queue.remove(copy.id)}
                  />
                ))}
              </ul>
            )}
          </div>
          <div className="trace-side">
            <label>
              {t('trace.purpose')}
              <textarea
                name="purpose"
                rows={3}
                required
                maxLength={500}
                placeholder={t('trace.purposeHint')}
                value={purpose}
                disabled={queue.running}
                onChange={(event) => setPurpose(event.currentTarget.value)}
              />
            </label>
            <p className="note note-info">{t('trace.twoPeople')}</p>
            {queue.running ? (
              <Progress copies={queue.copies} />
            ) : (
              <div className="form-foot">
                <button type="submit" className="button button-primary" disabled={!ready}>
                  {left.length > 1 ? t('trace.startAll', { count: left.length }) : t('trace.start')}
                </button>
                {!ready && (
                  <span className="muted">
                    {t(left.length > 0 ? 'trace.needPurpose' : 'trace.needFile')}
                  </span>
                )}
              </div>
            )}
          </div>
        </form>
      )}
      <div className="stack verdicts">
        {done.map((copy) => (
          <Verdict
            key={copy.id}
            result={copy.result!}
            picture={copy.picture}
            name={copy.file.name}
            toCase
            onResult={(result) => queue.replace(copy.id, result)}
          />
        ))}
      </div>
      {done.length > 0 && !queue.running && (
        <button type="button" className="button" onClick={queue.clear}>
          {t('trace.again')}
        </button>
      )}
    </>
  );
}

function CopyRow({ copy, onRemove }: { copy: Copy; onRemove: (() => void) | null }) {
  const { t } = useWords();
  return (
    <li className="copy" data-state={copy.state}>
      {copy.picture ? (
        <img src={copy.picture} alt="" />
      ) : (
        <span className="copy-kind">
          <Icon name="film" size={22} />
        </span>
      )}
      <span className="copy-name">{copy.file.name}</span>
      {copy.state === 'running' && <Working sent={copy.sent} />}
      {copy.error !== undefined && copy.state === 'failed' && <ProblemNote error={copy.error} />}
      {onRemove && (
        <button
          type="button"
          className="icon-button"
          onClick={onRemove}
          aria-label={t('trace.remove', { name: copy.file.name })}
        >
          <Icon name="cross" size={16} />
        </button>
      )}
    </li>
  );
}

function Working({ sent }: { sent: number }) {
  const { t } = useWords();
  const [seconds, setSeconds] = useState(0);
  useEffect(() => {
    const started = performance.now();
    const timer = setInterval(
      () => setSeconds(Math.floor((performance.now() - started) / 1000)),
      250,
    );
    return () => clearInterval(timer);
  }, []);
  return (
    <small className="muted" role="status">
      {sent < 1
        ? t('trace.sending', { percent: Math.round(sent * 100) })
        : t('trace.working', { seconds })}
    </small>
  );
}

function Progress({ copies }: { copies: readonly Copy[] }) {
  const { t } = useWords();
  const finished = copies.filter((copy) => copy.state === 'done' || copy.state === 'failed');
  const current = copies.find((copy) => copy.state === 'running');
  const share = (finished.length + (current ? current.sent * 0.2 : 0)) / copies.length;
  return (
    <div className="loading">
      <span
        className="meter meter-wide"
        role="progressbar"
        aria-label={t('trace.progress')}
        aria-valuemin={0}
        aria-valuemax={copies.length}
        aria-valuenow={finished.length}
      >
        <span style={{ width: `${Math.round(share * 100)}%` }} />
      </span>
      <span className="bar-busy" />
      {t('trace.progressOf', { done: finished.length, total: copies.length })}
    </div>
  );
}
