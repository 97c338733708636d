import { useTranslation } from 'react-i18next';
import { Problem } from '../api/problem';
import type { Coded } from '../api/types';

export interface ProblemWords {
  message: string;
  remedy: string;
  code: string;
}

/** Words that come from the API or need a fallback when the dictionary lacks them. */
export function useWords() {
  const { t, i18n } = useTranslation();
  const language = i18n.language;
  // Keys that arrive from the server cannot be checked by the compiler.
  const look = t as unknown as (key: string, options: object) => string;

  const optional = (key: string, fallback: string) => look(key, { defaultValue: fallback });

  const named = (item: { en: string; zh: string }) => (language === 'en' ? item.en : item.zh);

  /** The dictionary's sentence for a stable code, or the server's own. */
  const coded = (code: string, message: string, remedy: string): ProblemWords => ({
    message: optional(`codes.${code}.message`, message),
    remedy: optional(`codes.${code}.remedy`, remedy),
    code,
  });

  const problemWords = (error: unknown): ProblemWords => {
    if (!(error instanceof Problem)) {
      return { message: t('problem.crash'), remedy: t('problem.crashRemedy'), code: '' };
    }
    if (error.status === 0) {
      return { message: t('problem.unreachable'), remedy: t('problem.unreachableRemedy'), code: '' };
    }
    if (!error.message) {
      return {
        message: t('problem.server', { status: error.status }),
        remedy: t('problem.serverRemedy'),
        code: error.code,
      };
    }
    return coded(error.code, error.message, error.remedy);
  };

  /** A duration in milliseconds, in seconds from one second up. */
  const duration = (ms: number) =>
    ms < 1000
      ? t('common.ms', { count: Math.round(ms) })
      : t('common.seconds', { count: Number((ms / 1000).toFixed(1)) });

  return {
    t,
    duration,
    language,
    named,
    optional,
    coded,
    problemWords,
    names: (items: readonly Coded[]) => items.map(named).join(language === 'en' ? ', ' : '、'),
  };
}
