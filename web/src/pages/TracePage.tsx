import { useMutation } from '@tanstack/react-query';
import { useEffect, useState } from 'react';
import type { FormEvent } from 'react';
import { traceCopy } from '../api/client';
import type { TraceResult } from '../api/types';
import { PageHead } from '../ui/parts';
import { ProblemNote } from '../ui/ProblemNote';
import { useWords } from '../ui/useWords';
import { DropZone } from './trace/DropZone';
import { Verdict } from './trace/Verdict';

export function TracePage() {
  const { t } = useWords();
  const [file, setFile] = useState<File | null>(null);
  const [purpose, setPurpose] = useState('');
  const [sent, setSent] = useState(0);
  const picture = useObjectUrl(file);
  const trace = useMutation<TraceResult, Error, File>({
    mutationFn: (copy) => traceCopy(copy, purpose.trim(), setSent),
  });

  const restart = () => {
    trace.reset();
    setFile(null);
    setSent(0);
  };
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (file) {
      setSent(0);
      trace.mutate(file);
    }
  };

  return (
    <>
      <PageHead title={t('trace.title')} lead={t('trace.lead')} />
      {trace.data ? (
        <Verdict result={trace.data} picture={picture} onAgain={restart} />
      ) : (
        <form className="card trace-form" onSubmit={submit}>
          <DropZone picture={picture} disabled={trace.isPending} onPicture={setFile} />
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
                disabled={trace.isPending}
                onChange={(event) => setPurpose(event.currentTarget.value)}
              />
            </label>
            {trace.error && <ProblemNote error={trace.error} />}
            {trace.isPending ? (
              <Progress sent={sent} />
            ) : (
              <div className="form-foot">
                <button
                  type="submit"
                  className="button button-primary"
                  disabled={!file || !purpose.trim()}
                >
                  {t('trace.start')}
                </button>
                {(!file || !purpose.trim()) && (
                  <span className="muted">{t(file ? 'trace.needPurpose' : 'trace.needFile')}</span>
                )}
              </div>
            )}
          </div>
        </form>
      )}
    </>
  );
}

function useObjectUrl(file: File | null): string {
  const [url, setUrl] = useState('');
  useEffect(() => {
    if (!file) {
      setUrl('');
      return;
    }
    const made = URL.createObjectURL(file);
    setUrl(made);
    return () => URL.revokeObjectURL(made);
  }, [file]);
  return url;
}

function Progress({ sent }: { sent: number }) {
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
    <div className="loading" role="status">
      <span className="bar-busy" />
      {sent < 1
        ? t('trace.sending', { percent: Math.round(sent * 100) })
        : t('trace.working', { seconds })}
    </div>
  );
}
