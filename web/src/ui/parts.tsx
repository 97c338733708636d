import { useState } from 'react';
import type { ReactNode } from 'react';
import { useTranslation } from 'react-i18next';
import type { Coded } from '../api/types';
import { shorten } from './format';
import type { Scientific } from './format';
import { Icon } from './Icon';
import { useTitle } from './useTitle';
import { useWords } from './useWords';

export function PageHead({
  title,
  lead,
  children,
}: {
  title: string;
  lead?: string;
  children?: ReactNode;
}) {
  useTitle(title);
  return (
    <header className="page-head">
      <div>
        <h1>{title}</h1>
        {lead && <p className="muted">{lead}</p>}
      </div>
      {children && <div className="page-tools">{children}</div>}
    </header>
  );
}

export function Chips({ items }: { items: readonly Coded[] }) {
  const { named } = useWords();
  return (
    <ul className="chips">
      {items.map((item) => (
        <li key={item.code} className="chip" data-region={item.code}>
          {named(item)}
        </li>
      ))}
    </ul>
  );
}

export type Tone = 'ok' | 'warn' | 'danger' | 'neutral' | 'info';

export function Badge({ tone, children }: { tone: Tone; children: ReactNode }) {
  return <span className={`badge badge-${tone}`}>{children}</span>;
}

export function Loading() {
  const { t } = useTranslation();
  return (
    <div className="loading" role="status">
      <span className="bar-busy" />
      {t('common.loading')}
    </div>
  );
}

export function Empty({ text, hint }: { text: string; hint?: string }) {
  return (
    <div className="empty">
      <Icon name="check" size={28} />
      <p>{text}</p>
      {hint && <p className="muted">{hint}</p>}
    </div>
  );
}

/** A hash or UID, shortened, whole on hover and on the clipboard. */
export function Code({ value, head = 8, tail = 6 }: { value: string; head?: number; tail?: number }) {
  const { t } = useTranslation();
  const [copied, setCopied] = useState(false);
  if (!value) return <>–</>;
  const copy = () => {
    void navigator.clipboard?.writeText(value).then(() => {
      setCopied(true);
      setTimeout(() => setCopied(false), 1500);
    });
  };
  return (
    <span className="code" title={value}>
      <code>{shorten(value, head, tail)}</code>
      <button
        type="button"
        className="icon-button"
        onClick={copy}
        aria-label={`${copied ? t('common.copied') : t('common.copy')} ${shorten(value, 4, 4)}`}
      >
        <Icon name={copied ? 'check' : 'copy'} size={14} />
      </button>
    </span>
  );
}

export function Fact({ label, hint, children }: { label: string; hint?: string; children: ReactNode }) {
  return (
    <div className="fact">
      <dt>{label}</dt>
      <dd>
        {children}
        {hint && <small className="muted">{hint}</small>}
      </dd>
    </div>
  );
}

export function Exponential({ value }: { value: Scientific }) {
  if (value.exponent === null) return <span className="number">{value.mantissa}</span>;
  return (
    <span className="number">
      {value.mantissa} × 10<sup>{`${value.exponent}`.replace('-', '−')}</sup>
    </span>
  );
}
