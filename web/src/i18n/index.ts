import i18next from 'i18next';
import { initReactI18next } from 'react-i18next';
import { en } from './en';
import { zhCN } from './zh-CN';

export type Language = 'zh-CN' | 'en';
const STORED = 'leadapron.language';

export function initialLanguage(stored: string | null): Language {
  return stored === 'en' ? 'en' : 'zh-CN';
}

function applyToPage(language: string): void {
  document.documentElement.lang = language;
}

export function startI18n(): void {
  const language = initialLanguage(localStorage.getItem(STORED));
  void i18next.use(initReactI18next).init({
    lng: language,
    // The compiler keeps the dictionaries level; a fallback would mix the languages.
    fallbackLng: false,
    resources: { 'zh-CN': { translation: zhCN }, en: { translation: en } },
    interpolation: { escapeValue: false },
    returnNull: false,
  });
  applyToPage(language);
  i18next.on('languageChanged', (next) => {
    localStorage.setItem(STORED, next);
    applyToPage(next);
  });
}
