import { useMutation } from '@tanstack/react-query';
import { api } from '../api/client';
import type { OpenedView, WorkItem } from '../api/types';
import { dateTime, dicomDate, personName } from '../ui/format';
import { Chips, Code, Fact } from '../ui/parts';
import { ProblemNote, Reasons } from '../ui/ProblemNote';
import { useWords } from '../ui/useWords';
import type { Display } from './Film';
import { hiddenRegions, outlinedOnly } from './regions';

interface Props {
  view: OpenedView;
  item: WorkItem | undefined;
  display: Display | null;
}

/** What this view is, what it hides and where it is recorded. Stands beside the film. */
export function ViewPanel({ view, item, display }: Props) {
  const { t, named, optional } = useWords();
  const hidden = hiddenRegions(view);
  const outlined = outlinedOnly(view);
  const wholeBody = hidden.length === 0 && view.regions.some(({ code }) => code === 'thorax');
  return (
    <aside className="panel" aria-label={t('viewer.panel')} tabIndex={0}>
      <section>
        <h2>{t('viewer.granted')}</h2>
        <Chips items={view.regions} />
        {outlined.length > 0 && (
          <>
            <h3>{t('viewer.outlineOnly')}</h3>
            <div className="chips-outlined">
              <Chips items={outlined} />
            </div>
          </>
        )}
        <h3>{t('viewer.hidden')}</h3>
        {hidden.length > 0 && (
          <div className="chips-hidden">
            <Chips items={hidden} />
          </div>
        )}
        <p className="muted">{t(wholeBody ? 'viewer.hiddenOutside' : 'viewer.hiddenRest')}</p>
        <dl className="facts">
          <Fact label={t('viewer.background')}>
            {optional(`viewer.${view.background}`, view.background)}
          </Fact>
        </dl>
      </section>
      <section>
        <h2>{t('viewer.order')}</h2>
        <dl className="facts">
          {item && <Fact label={t('viewer.need')}>{named(item.need)}</Fact>}
          <Fact label={t('viewer.order')}>
            <span className="mono">{view.order}</span>
          </Fact>
          {item && (
            <>
              <Fact label={t('viewer.accession')}>
                <span className="mono">{item.accession}</span>
              </Fact>
              <Fact label={t('viewer.film')}>
                {item.modality} · {dicomDate(item.study_date)}
              </Fact>
              <Fact label={t('viewer.patient')}>
                <span className="mono">{item.patient}</span>
              </Fact>
            </>
          )}
        </dl>
        <PatientIdentity sop={view.sop_instance} />
      </section>
      <section>
        <h2>{t('viewer.thisView')}</h2>
        <dl className="facts">
          <Fact label={t('viewer.at')}>
            <span className="number">{dateTime(view.at, true)}</span>
          </Fact>
          <Fact label={t('viewer.ledger')}>
            {t('viewer.ledgered', { index: view.ledger_index })}
          </Fact>
          <Fact label={t('viewer.watermark')} hint={t('viewer.watermarkHint')}>
            {view.psnr_db} dB PSNR
          </Fact>
          <Fact label={t('viewer.viewId')}>
            <Code value={view.view_id} head={12} />
          </Fact>
        </dl>
        {view.reasons.length > 0 && (
          <>
            <h3>{t('viewer.reasons')}</h3>
            <Reasons reasons={view.reasons} />
          </>
        )}
      </section>
      <section>
        <h2>{t('viewer.display')}</h2>
        <p className="number" data-display>
          {display
            ? `${t('viewer.windowValues', {
                width: Math.round(display.width),
                level: Math.round(display.level),
              })} · ${t('viewer.zoomValue', { percent: Math.round(display.zoom * 100) })}`
            : '–'}
        </p>
        <p className="muted">{t('viewer.mouse')}</p>
      </section>
    </aside>
  );
}

function PatientIdentity({ sop }: { sop: string }) {
  const { t, optional } = useWords();
  const identity = useMutation({ mutationFn: () => api.identity(sop) });
  if (identity.data) {
    const { name, sex, birth_date, ledger_index } = identity.data;
    return (
      <div className="identity">
        <dl className="facts">
          <Fact label={t('viewer.name')}>
            <strong>{personName(name)}</strong>
          </Fact>
          <Fact label={t('viewer.sex')}>{optional(`viewer.sexes.${sex}`, sex)}</Fact>
          <Fact label={t('viewer.birth')}>{dicomDate(birth_date)}</Fact>
        </dl>
        <small className="muted">{t('viewer.identityLedger', { index: ledger_index })}</small>
        <button type="button" className="button" onClick={identity.reset}>
          {t('viewer.identityHide')}
        </button>
      </div>
    );
  }
  return (
    <div className="identity">
      {identity.error && <ProblemNote error={identity.error} />}
      <button
        type="button"
        className="button"
        disabled={identity.isPending}
        onClick={() => identity.mutate()}
      >
        {t('viewer.identityShow')}
      </button>
      <small className="muted">{t('viewer.identityHint')}</small>
    </div>
  );
}
