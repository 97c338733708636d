import { api } from '../api/client';
import type { QuarantineItem } from '../api/types';
import { bytes, dateTime } from '../ui/format';
import { Code, Empty, Fact, PageHead } from '../ui/parts';
import { useWords } from '../ui/useWords';
import { Query } from './Query';

export function QuarantinePage() {
  const { t } = useWords();
  return (
    <>
      <PageHead title={t('quarantine.title')} lead={t('quarantine.lead')} />
      <Query name={['quarantine']} load={api.quarantine} every={10_000}>
        {(items) =>
          items.length === 0 ? (
            <Empty text={t('quarantine.empty')} />
          ) : (
            <ul className="stack">
              {items.map((item) => (
                <li key={item.id}>
                  <Item item={item} />
                </li>
              ))}
            </ul>
          )
        }
      </Query>
    </>
  );
}

function Item({ item }: { item: QuarantineItem }) {
  const { t, language, coded } = useWords();
  const words = coded(item.code, item.message, item.remedy);
  return (
    <article className="card quarantine-item">
      <div>
        <h2>{words.message}</h2>
        {words.message !== item.message && (
          <p className="muted server-words" lang="en">
            {item.message}
          </p>
        )}
        <p className="remedy">
          <span>{t('quarantine.remedy')}</span>
          {words.remedy || '–'}
        </p>
      </div>
      <dl className="facts">
        <Fact label={t('quarantine.received')}>{dateTime(item.received_at)}</Fact>
        <Fact label={t('quarantine.ae')}>
          <span className="mono">{item.calling_ae}</span>
        </Fact>
        <Fact label={t('quarantine.size')}>{bytes(item.size, language)}</Fact>
        <Fact label={t('quarantine.reason')}>
          <code>{item.code}</code>
        </Fact>
        <Fact label={t('quarantine.id')}>
          <Code value={item.id} />
        </Fact>
      </dl>
    </article>
  );
}
