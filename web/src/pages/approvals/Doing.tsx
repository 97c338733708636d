import { useMutation, useQueryClient } from '@tanstack/react-query';
import { api } from '../../api/client';
import type { Approval, KnownIdentity } from '../../api/types';
import { dicomDate, personName } from '../../ui/format';
import { ProblemNote } from '../../ui/ProblemNote';
import { useWords } from '../../ui/useWords';

const REPAIRS = new Set(['wrong-patient', 'merge', 'merge-undo']);

/** What the person who asked can do: withdraw, or once consented to, do it. */
export function Doing({ item }: { item: Approval }) {
  const { t } = useWords();
  const queries = useQueryClient();
  const again = () => queries.invalidateQueries({ queryKey: ['approvals'] });
  const withdraw = useMutation({ mutationFn: () => api.withdraw(item.id), onSuccess: again });
  const read = useMutation({
    mutationFn: () => api.reidentify(item.id),
    onSettled: again,
    gcTime: 0,
  });
  const repair = useMutation({ mutationFn: () => api.repair(item.id), onSettled: again });
  const approved = item.state === 'approved';
  const busy = withdraw.isPending || read.isPending || repair.isPending;
  const error = withdraw.error ?? read.error ?? repair.error;
  return (
    <div className="approval-decide">
      {approved && item.action.code === 'reidentify' && (
        <div className="form-foot">
          <button
            type="button"
            className="button button-primary"
            disabled={busy}
            onClick={() => read.mutate()}
          >
            {t('approvals.read')}
          </button>
          <small className="muted">{t('approvals.readHint')}</small>
        </div>
      )}
      {approved && REPAIRS.has(item.action.code) && (
        <button
          type="button"
          className="button button-primary"
          disabled={busy}
          onClick={() => repair.mutate()}
        >
          {t('approvals.apply')}
        </button>
      )}
      {(approved || item.state === 'pending') && (
        <button
          type="button"
          className="button"
          disabled={busy}
          onClick={() => withdraw.mutate()}
        >
          {t('approvals.withdraw')}
        </button>
      )}
      {error && <ProblemNote error={error} />}
      {repair.data && (
        <p className="note note-ok" role="status">
          {t('approvals.applied', {
            films: repair.data.films.length,
            views: repair.data.views,
          })}
        </p>
      )}
      {read.data && <Names found={read.data} />}
    </div>
  );
}

function Names({ found }: { found: readonly KnownIdentity[] }) {
  const { t, optional } = useWords();
  return (
    <div className="table-card" role="region" aria-label={t('approvals.names')} tabIndex={0}>
      <table>
        <thead>
          <tr>
            <th>{t('approvals.fields.pseudonyms')}</th>
            <th>{t('approvals.name')}</th>
            <th>{t('approvals.number')}</th>
            <th>{t('approvals.sex')}</th>
            <th>{t('approvals.birth')}</th>
          </tr>
        </thead>
        <tbody>
          {found.map((one) => (
            <tr key={one.pseudonym}>
              <td className="mono">{one.pseudonym}</td>
              <td>{personName(one.name)}</td>
              <td className="mono">{one.original}</td>
              <td>{one.sex && optional(`viewer.sexes.${one.sex}`, one.sex)}</td>
              <td className="number">{one.birth_date && dicomDate(one.birth_date)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
