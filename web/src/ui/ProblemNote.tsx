import { useTranslation } from 'react-i18next';
import { Problem } from '../api/problem';
import type { ReasonText } from '../api/types';
import { useWords } from './useWords';

/** What is wrong and what to do, for any failed request. */
export function ProblemNote({ error, onRetry }: { error: unknown; onRetry?: () => void }) {
  const { t } = useTranslation();
  const { problemWords } = useWords();
  const words = problemWords(error);
  const reasons = error instanceof Problem ? error.reasons : [];
  return (
    <div className="note note-danger" role="alert">
      <strong>{words.message}</strong>
      {words.remedy && <p>{words.remedy}</p>}
      {reasons.length > 0 && <Reasons reasons={reasons} />}
      <div className="note-foot">
        {onRetry && !(error instanceof Problem && error.refused) && (
          <button type="button" className="button" onClick={onRetry}>
            {t('common.retry')}
          </button>
        )}
        {words.code && <small className="muted">{t('problem.code', { code: words.code })}</small>}
      </div>
    </div>
  );
}

/** Reasons of a decision in the reader's language, the other language beneath. */
export function Reasons({ reasons }: { reasons: readonly ReasonText[] }) {
  const { language } = useWords();
  const [first, second] = language === 'en' ? (['en', 'zh'] as const) : (['zh', 'en'] as const);
  return (
    <ul className="reasons">
      {reasons.map((reason) => (
        <li key={reason.code}>
          <span lang={first === 'zh' ? 'zh-CN' : 'en'}>{reason[first]}</span>
          <small className="muted" lang={second === 'zh' ? 'zh-CN' : 'en'}>
            {reason[second]}
          </small>
        </li>
      ))}
    </ul>
  );
}
