import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import type { FormEvent } from 'react';
import { api } from '../../api/client';
import { ProblemNote } from '../../ui/ProblemNote';
import { useWords } from '../../ui/useWords';

/** Asks for identities outside care; shown to those who may ask. */
export function ReidentifyForm() {
  const { t, named } = useWords();
  const [pseudonyms, setPseudonyms] = useState('');
  const [purpose, setPurpose] = useState('');
  const [reason, setReason] = useState('');
  const queries = useQueryClient();
  const actions = useQuery({ queryKey: ['approval-actions'], queryFn: api.approvalActions });
  const ask = useMutation({
    mutationFn: () =>
      api.askIdentities(pseudonyms.split(/\s+/).filter(Boolean), purpose, reason.trim()),
    onSuccess: () => {
      setPseudonyms('');
      setReason('');
      void queries.invalidateQueries({ queryKey: ['approvals'] });
    },
  });
  const act = actions.data?.find((one) => one.action.code === 'reidentify');
  if (!act?.may_request) return null;
  const submit = (event: FormEvent) => {
    event.preventDefault();
    ask.mutate();
  };
  return (
    <details className="card approval-ask">
      <summary>
        <strong>{t('approvals.ask')}</strong>
        <span className="muted">{t('approvals.askLead')}</span>
      </summary>
      <form onSubmit={submit}>
        <label>
          {t('approvals.pseudonyms')}
          <textarea
            name="pseudonyms"
            className="mono"
            rows={4}
            required
            value={pseudonyms}
            onChange={(event) => setPseudonyms(event.currentTarget.value)}
          />
        </label>
        <div className="approval-why">
          <label>
            {t('approvals.purpose')}
            <select
              name="purpose"
              required
              value={purpose}
              onChange={(event) => setPurpose(event.currentTarget.value)}
            >
              <option value="" />
              {act.purposes.map((one) => (
                <option key={one.code} value={one.code}>
                  {named(one)}
                </option>
              ))}
            </select>
          </label>
          <label>
            {t('approvals.reason')}
            <input
              name="reason"
              required
              minLength={10}
              maxLength={2000}
              value={reason}
              onChange={(event) => setReason(event.currentTarget.value)}
            />
          </label>
        </div>
        {ask.error && <ProblemNote error={ask.error} />}
        {ask.data && (
          <p className="note note-ok" role="status">
            {t('approvals.submitted', { id: ask.data.id })}
          </p>
        )}
        <div className="form-foot">
          <button type="submit" className="button button-primary" disabled={ask.isPending}>
            {t('approvals.submit')}
          </button>
        </div>
      </form>
    </details>
  );
}
