import { useEffect, useRef } from 'react';
import type { ReactNode } from 'react';
import { useTranslation } from 'react-i18next';
import { Icon, Mark } from '../ui/Icon';
import { useWords } from '../ui/useWords';
import { LanguageSwitch } from './LanguageSwitch';
import { pagesOf } from './roles';
import { href } from './route';
import { useSession } from './session';

export function Layout({ page, children }: { page: string; children: ReactNode }) {
  const { t } = useTranslation();
  const { session } = useSession();
  useFocusOnContent(page);
  return (
    <div className="shell">
      <a className="skip" href="#content" onClick={skipToContent}>
        {t('nav.skip')}
      </a>
      <aside className="side">
        <div className="brand">
          <Mark size={34} />
          <div>
            <strong>LeadApron</strong>
            <span lang="zh-CN">铅衣</span>
          </div>
        </div>
        <nav aria-label={t('nav.label')}>
          <ul>
            {pagesOf(session?.role ?? '').map((name) => (
              <li key={name}>
                <a href={href(name)} aria-current={page === name ? 'page' : undefined}>
                  <Icon name={name} />
                  {t(`nav.${name}`)}
                </a>
              </li>
            ))}
          </ul>
        </nav>
        <UserCard />
      </aside>
      <main id="content" tabIndex={-1}>
        {children}
      </main>
    </div>
  );
}

// The hash belongs to the router, so the skip link moves the focus itself.
function skipToContent(event: { preventDefault(): void }): void {
  event.preventDefault();
  document.getElementById('content')?.focus();
}

/** Moves the focus with the page, as a full page load would. */
function useFocusOnContent(page: string): void {
  const shown = useRef(page);
  useEffect(() => {
    if (shown.current !== page) document.getElementById('content')?.focus();
    shown.current = page;
  }, [page]);
}

function UserCard() {
  const { t, optional } = useWords();
  const { session, signOut } = useSession();
  if (!session) return null;
  return (
    <div className="user">
      <LanguageSwitch />
      <div className="user-card">
        <span className="user-icon">
          <Icon name="person" size={18} />
        </span>
        <div className="user-name">
          <strong>{session.display || session.user}</strong>
          <small>{optional(`role.${session.role}`, session.role)}</small>
        </div>
        <button
          type="button"
          className="icon-button"
          onClick={() => void signOut()}
          aria-label={t('common.signOut')}
          title={t('common.signOut')}
        >
          <Icon name="signOut" size={18} />
        </button>
      </div>
    </div>
  );
}
