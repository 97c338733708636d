import { useState } from 'react';
import type { FormEvent } from 'react';
import { useTranslation } from 'react-i18next';
import { LanguageSwitch } from '../app/LanguageSwitch';
import { useSession } from '../app/session';
import { Icon, Mark } from '../ui/Icon';
import { Loading } from '../ui/parts';
import { ProblemNote } from '../ui/ProblemNote';

export function SignInPage() {
  const { t } = useTranslation();
  const { phase } = useSession();
  return (
    <div className="sign-in">
      <section className="sign-in-story">
        <div className="brand brand-large">
          <Mark size={52} />
          <div>
            <strong>LeadApron</strong>
            <span lang="zh-CN">铅衣</span>
          </div>
        </div>
        <p className="sign-in-lead">{t('signIn.lead')}</p>
        <ul>
          <li>
            <Icon name="lock" />
            {t('signIn.pointSeal')}
          </li>
          <li>
            <Icon name="access" />
            {t('signIn.pointView')}
          </li>
          <li>
            <Icon name="trace" />
            {t('signIn.pointTrace')}
          </li>
        </ul>
      </section>
      <main className="sign-in-form">
        <LanguageSwitch />
        {phase === 'link' ? (
          <>
            <h1>{t('signIn.link')}</h1>
            <Loading />
          </>
        ) : (
          <SignInForm ended={phase === 'ended'} />
        )}
      </main>
    </div>
  );
}

function SignInForm({ ended }: { ended: boolean }) {
  const { t } = useTranslation();
  const { problem, signIn } = useSession();
  const [busy, setBusy] = useState(false);

  const submit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    setBusy(true);
    void signIn(String(form.get('user')), String(form.get('password'))).finally(() =>
      setBusy(false),
    );
  };

  return (
    <form onSubmit={submit}>
      <h1>{t('signIn.title')}</h1>
      <p className="muted">{t('product.tagline')}</p>
      {ended && !problem && <div className="note note-info">{t('signIn.ended')}</div>}
      {problem && <ProblemNote error={problem} />}
      <label>
        {t('signIn.user')}
        <input name="user" autoComplete="username" required autoFocus spellCheck={false} />
      </label>
      <label>
        {t('signIn.password')}
        <input name="password" type="password" autoComplete="current-password" required />
      </label>
      <button type="submit" className="button button-primary" disabled={busy}>
        {t(busy ? 'signIn.working' : 'signIn.submit')}
      </button>
    </form>
  );
}
