import { QueryClient, QueryClientProvider } from '@tanstack/react-query';
import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';
import { Problem } from './api/problem';
import { App } from './app/App';
import { CrashGuard } from './app/CrashGuard';
import { SessionProvider } from './app/session';
import { startI18n } from './i18n';
import './styles/tokens.css';
import './styles/base.css';
import './styles/parts.css';
import './styles/layout.css';
import './styles/incident.css';
import './styles/pages.css';
import './styles/approvals.css';

startI18n();

const queries = new QueryClient({
  defaultOptions: {
    queries: {
      staleTime: 5000,
      // Pages ask again by their own clock; a search is a ledger entry, so not on every focus.
      refetchOnWindowFocus: false,
      // A refusal stays a refusal; only a broken connection deserves another try.
      retry: (failures, error) =>
        failures < 2 && error instanceof Problem && (error.status === 0 || error.status >= 500),
    },
  },
});

createRoot(document.getElementById('root')!).render(
  <StrictMode>
    <QueryClientProvider client={queries}>
      <CrashGuard>
        <SessionProvider>
          <App />
        </SessionProvider>
      </CrashGuard>
    </QueryClientProvider>
  </StrictMode>,
);
