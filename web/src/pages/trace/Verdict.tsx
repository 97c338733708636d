import { apiPath } from '../../api/client';
import type { TraceResult } from '../../api/types';
import { href } from '../../app/route';
import { count, dateTime, scientific } from '../../ui/format';
import { Icon } from '../../ui/Icon';
import { Chips, Code, Exponential, Fact } from '../../ui/parts';
import { useWords } from '../../ui/useWords';

interface Props {
  result: TraceResult;
  picture: string;
  onAgain: () => void;
}

/** The verdict of one trace. It names a view, never a culprit. */
export function Verdict({ result, picture, onAgain }: Props) {
  const { t } = useWords();
  const traced = result.verdict === 'traced' && result.best != null;
  return (
    <article className="card verdict" data-verdict={traced ? 'traced' : 'inconclusive'}>
      <header className="verdict-head">
        <span className="verdict-mark">
          <Icon name={traced ? 'check' : 'warn'} size={26} />
        </span>
        <div>
          <h2>{t(traced ? 'trace.traced' : 'trace.inconclusive')}</h2>
          <p>{t(traced ? 'trace.tracedLead' : 'trace.inconclusiveLead')}</p>
        </div>
      </header>
      <div className="verdict-body">
        <div>
          {traced && <BestView result={result} />}
          <Statistics result={result} />
          <p className="note note-info">{t(traced ? 'trace.caution' : 'trace.inconclusiveNext')}</p>
        </div>
        <Pictures result={result} picture={picture} />
      </div>
      <footer className="form-foot">
        {result.case && (
          <a className="button button-primary" href={href('cases', result.case)}>
            {t('trace.toCase', { id: result.case })}
          </a>
        )}
        <button type="button" className="button" onClick={onAgain}>
          {t('trace.again')}
        </button>
      </footer>
    </article>
  );
}

function BestView({ result }: { result: TraceResult }) {
  const { t } = useWords();
  const best = result.best!;
  return (
    <dl className="facts facts-strong">
      <Fact label={t('trace.recipient')}>
        <strong>{best.recipient_display || best.recipient}</strong>
      </Fact>
      <Fact label={t('trace.at')}>{dateTime(best.at, true)}</Fact>
      <Fact label={t('trace.order')}>
        <span className="mono">{best.order || '–'}</span>
      </Fact>
      <Fact label={t('trace.regions')}>
        <Chips items={best.regions} />
      </Fact>
      <Fact label={t('trace.view')}>
        <Code value={best.view_id} head={14} />
      </Fact>
      <Fact label={t('trace.viewLedger')}>{t('common.index', { index: best.ledger_index })}</Fact>
    </dl>
  );
}

function Statistics({ result }: { result: TraceResult }) {
  const { t, language, duration } = useWords();
  return (
    <dl className="facts facts-row">
      {result.p_value != null && (
        <Fact label={t('trace.pValue')} {...(result.best ? { hint: t('trace.pHint') } : {})}>
          <Exponential value={scientific(result.p_value)} />
        </Fact>
      )}
      {result.z != null && <Fact label={t('trace.z')}>{result.z.toFixed(1)}</Fact>}
      <Fact label={t('trace.candidates')}>{count(result.candidates, language)}</Fact>
      {result.film_score != null && (
        <Fact label={t('trace.filmScore')}>{Number(result.film_score.toFixed(2))}</Fact>
      )}
      {result.sop_instance && (
        <Fact label={t('trace.film')}>
          <Code value={result.sop_instance} head={10} />
        </Fact>
      )}
      <Fact label={t('trace.traceLedger')}>{t('common.index', { index: result.ledger_index })}</Fact>
      <Fact label={t('trace.elapsed')}>
        {duration(result.elapsed_ms)}
      </Fact>
    </dl>
  );
}

function Pictures({ result, picture }: { result: TraceResult; picture: string }) {
  const { t } = useWords();
  const overlay = result.overlay ? apiPath(result.overlay) : '';
  return (
    <div className="verdict-pictures">
      {picture && (
        <figure>
          <img src={picture} alt={t('trace.leaked')} />
          <figcaption>{t('trace.leaked')}</figcaption>
        </figure>
      )}
      {overlay && (
        <figure>
          <img src={overlay} alt={t('trace.overlay')} />
          <figcaption>{t('trace.overlay')}</figcaption>
        </figure>
      )}
    </div>
  );
}
