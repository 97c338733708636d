import { useState } from 'react';
import type { Approval } from '../../api/types';
import { Code, Fact } from '../../ui/parts';
import { useWords } from '../../ui/useWords';

const FIRST = 12;

/** Exactly what was asked for, in pseudonyms: the second person consents to this and no more. */
export function Content({ item }: { item: Approval }) {
  const { t, optional } = useWords();
  const shown = Object.entries(item.content).filter(([, value]) => value !== '');
  return (
    <dl className="facts" aria-label={t('approvals.what')}>
      {shown.map(([key, value]) => (
        <Fact key={key} label={optional(`approvals.fields.${key}`, key)}>
          <Value value={value} />
        </Fact>
      ))}
    </dl>
  );
}

function Value({ value }: { value: unknown }) {
  if (Array.isArray(value)) return <List values={value.map(String)} />;
  if (typeof value === 'object' && value !== null) return <code>{JSON.stringify(value)}</code>;
  const text = String(value);
  return text.length > 24 ? <Code value={text} head={14} /> : <span className="mono">{text}</span>;
}

function List({ values }: { values: readonly string[] }) {
  const { t } = useWords();
  const [all, setAll] = useState(false);
  const shown = all ? values : values.slice(0, FIRST);
  return (
    <>
      <ul className="pseudonyms">
        {shown.map((value) => (
          <li key={value} className="mono">
            {value}
          </li>
        ))}
      </ul>
      {shown.length < values.length && (
        <button type="button" className="button" onClick={() => setAll(true)}>
          {t('approvals.showAll', { count: values.length })}
        </button>
      )}
    </>
  );
}
