import { apiPath } from '../../api/client';
import type { TracedFilm, TraceResult } from '../../api/types';
import { href } from '../../app/route';
import { bytes, count, dateTime, scientific, shorten } from '../../ui/format';
import { Icon } from '../../ui/Icon';
import type { IconName } from '../../ui/Icon';
import { Chips, Code, Exponential, Fact } from '../../ui/parts';
import { useWords } from '../../ui/useWords';
import { Decoys } from './Decoys';
import { SecondPerson } from './SecondPerson';

interface Props {
  result: TraceResult;
  /** An object URL of the copy, where this page has it; else the API's small picture is shown. */
  picture?: string;
  name?: string;
  toCase?: boolean;
  onResult: (result: TraceResult) => void;
}

type State = 'traced' | 'waiting' | 'refused' | 'inconclusive';
const ICONS: Record<State, IconName> = {
  traced: 'check',
  waiting: 'clock',
  refused: 'cross',
  inconclusive: 'warn',
};

export function stateOf(verdict: string): State {
  return Object.hasOwn(ICONS, verdict) ? (verdict as State) : 'inconclusive';
}

/** The verdict of one trace. It names a view, never a culprit, and not before two people want it. */
export function Verdict({ result, picture = '', name = '', toCase = false, onResult }: Props) {
  const { t } = useWords();
  const state = stateOf(result.verdict);
  const unconfirmed = state === 'traced' && !result.confirmed;
  return (
    <article className="card verdict" data-verdict={state} data-trace={result.id}>
      <header className="verdict-head">
        <span className="verdict-mark">
          <Icon name={ICONS[state]} size={26} />
        </span>
        <div>
          <h2>{t(unconfirmed ? 'trace.toConfirm' : `trace.${state}`)}</h2>
          <p>{t(unconfirmed ? 'trace.toConfirmLead' : `trace.${state}Lead`)}</p>
        </div>
      </header>
      <div className="verdict-body">
        <div>
          {(result.films ?? []).map((film, index) => (
            <Film key={index} film={film} alone={(result.films ?? []).length === 1} />
          ))}
          <Submission result={result} name={name} />
          <SecondPerson result={result} onResult={onResult} />
          {state !== 'waiting' && (
            <p className="note note-info">
              {t(state === 'traced' ? 'trace.caution' : 'trace.inconclusiveNext')}
            </p>
          )}
        </div>
        <Pictures result={result} picture={picture} />
      </div>
      <Foot result={result} toCase={toCase} />
    </article>
  );
}

function Film({ film, alone }: { film: TracedFilm; alone: boolean }) {
  const { t, language } = useWords();
  const views = film.views ?? [];
  return (
    <section className="verdict-film">
      {!alone && <h3>{t(`trace.${stateOf(film.verdict)}`)}</h3>}
      {views.map((view) => (
        <dl className="facts facts-strong" key={view.view_id}>
          <Fact label={t('trace.recipient')}>
            <strong>{view.recipient_display || view.recipient}</strong>
          </Fact>
          <Fact label={t('trace.at')}>{dateTime(view.at, true)}</Fact>
          <Fact label={t('trace.order')}>
            <span className="mono">{view.order || '–'}</span>
          </Fact>
          <Fact label={t('trace.regions')}>
            <Chips items={view.regions} />
          </Fact>
          <Fact label={t('trace.view')}>
            <Code value={view.view_id} head={14} />
          </Fact>
          <Fact label={t('trace.viewLedger')}>
            {t('common.index', { index: view.ledger_index })}
          </Fact>
          {view.p_value != null && (
            <Fact label={t('trace.pValue')} hint={t('trace.pHint')}>
              <Exponential value={scientific(view.p_value)} />
            </Fact>
          )}
          {view.z != null && <Fact label={t('trace.z')}>{view.z.toFixed(2)}</Fact>}
        </dl>
      ))}
      {film.decoys && views[0]?.z != null && (
        <Decoys decoys={film.decoys} threshold={film.threshold} z={views[0].z} />
      )}
      <dl className="facts facts-row">
        <Fact label={t('trace.candidates')}>{count(film.candidates, language)}</Fact>
        <Fact label={t('trace.tried')} hint={t('trace.triedHint')}>
          {count(film.tried, language)}
        </Fact>
        <Fact label={t('trace.threshold')}>{film.threshold.toFixed(2)}</Fact>
        <Fact label={t('trace.filmScore')}>{count(film.film_score, language)}</Fact>
        <Fact label={t('trace.film')}>
          <Code value={film.sop_instance} head={10} />
        </Fact>
        {!film.whole && (
          <Fact label={t('trace.part')}>
            {t('trace.partOf', {
              left: film.box[1],
              top: film.box[0],
              width: film.box[3]! - film.box[1]!,
              height: film.box[2]! - film.box[0]!,
            })}
          </Fact>
        )}
        {film.at_ms > 0 && (
          <Fact label={t('trace.frame')}>
            {t('trace.frameAt', { number: film.picture, seconds: (film.at_ms / 1000).toFixed(1) })}
          </Fact>
        )}
      </dl>
    </section>
  );
}

function Submission({ result, name }: { result: TraceResult; name: string }) {
  const { t, language, duration, optional } = useWords();
  const { copied } = result;
  return (
    <dl className="facts facts-row">
      {name && <Fact label={t('trace.file')}>{shorten(name, 18, 10)}</Fact>}
      <Fact label={t('trace.kind')}>
        {optional(`trace.kinds.${copied.kind}`, copied.kind)}
        {copied.frames > 1 && ` · ${t('trace.frames', { count: copied.frames })}`}
      </Fact>
      <Fact label={t('trace.size')}>{bytes(copied.size, language)}</Fact>
      <Fact label="SHA-256">
        <Code value={copied.sha256} head={10} />
      </Fact>
      <Fact label={t('trace.traceLedger')}>{t('common.index', { index: result.ledger_index })}</Fact>
      <Fact label={t('trace.elapsed')}>{duration(result.elapsed_ms)}</Fact>
    </dl>
  );
}

function Pictures({ result, picture }: { result: TraceResult; picture: string }) {
  const { t } = useWords();
  const copy = picture || (result.picture ? apiPath(result.picture) : '');
  const shown = [
    { label: t('trace.leaked'), source: copy },
    ...(result.films ?? []).flatMap((film) => [
      { label: t('trace.overlay'), source: film.overlay ? apiPath(film.overlay) : '' },
      { label: t('trace.heatmap'), source: film.heatmap ? apiPath(film.heatmap) : '' },
    ]),
  ].filter((one) => one.source);
  return (
    <div className="verdict-pictures">
      {shown.map((one) => (
        <figure key={one.source}>
          <img src={one.source} alt={one.label} />
          <figcaption>{one.label}</figcaption>
        </figure>
      ))}
    </div>
  );
}

function Foot({ result, toCase }: { result: TraceResult; toCase: boolean }) {
  const { t } = useWords();
  if (!(toCase && result.case) && !result.report) return null;
  const report = result.report ? apiPath(result.report) : '';
  return (
    <footer className="form-foot">
      {toCase && result.case && (
        <a className="button button-primary" href={href('cases', result.case)}>
          {t('trace.toCase', { id: result.case })}
        </a>
      )}
      {report && (
        <>
          <a className="button" href={`${report}?language=zh-CN`} download>
            {t('trace.reportZh')}
          </a>
          <a className="button" href={`${report}?language=en`} download>
            {t('trace.reportEn')}
          </a>
          <a className="button" href={apiPath(result.evidence ?? '')} download>
            {t('trace.evidence')}
          </a>
        </>
      )}
    </footer>
  );
}
