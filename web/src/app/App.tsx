import { lazy, Suspense, useEffect } from 'react';
import { useTranslation } from 'react-i18next';
import { AccessPage } from '../pages/AccessPage';
import { ApprovalsPage } from '../pages/ApprovalsPage';
import { CasePage } from '../pages/CasePage';
import { CasesPage } from '../pages/CasesPage';
import { LedgerPage } from '../pages/LedgerPage';
import { OverviewPage } from '../pages/OverviewPage';
import { QuarantinePage } from '../pages/QuarantinePage';
import { SignInPage } from '../pages/SignInPage';
import { TracePage } from '../pages/TracePage';
import { WorklistPage } from '../pages/WorklistPage';
import { Empty, Loading } from '../ui/parts';
import { Layout } from './Layout';
import { firstPage, isReader } from './roles';
import { go, useRoute } from './route';
import type { Route } from './route';
import { useSession } from './session';

const ViewerPage = lazy(() => import('../viewer/ViewerPage'));

export function App() {
  const { session, phase } = useSession();
  const route = useRoute();
  const dark = route.page === 'view' || (session !== null && isReader(session.role));

  useEffect(() => {
    document.documentElement.dataset.theme = dark ? 'dark' : 'light';
  }, [dark]);

  useEffect(() => {
    if (session && !route.page) location.replace(`#/${firstPage(session.role)}`);
  }, [session, route.page]);

  if (phase === 'starting') return <Loading />;
  if (!session) return <SignInPage />;
  if (route.page === 'view') {
    return (
      <Suspense fallback={<Loading />}>
        <ViewerPage key={route.id} sop={route.id} />
      </Suspense>
    );
  }
  return (
    <Layout page={route.page}>
      <Page route={route} />
    </Layout>
  );
}

function Page({ route }: { route: Route }) {
  switch (route.page) {
    case 'overview':
      return <OverviewPage />;
    case 'worklist':
      return <WorklistPage />;
    case 'trace':
      return <TracePage />;
    case 'cases':
      return route.id ? <CasePage id={route.id} /> : <CasesPage />;
    case 'approvals':
      return <ApprovalsPage />;
    case 'ledger':
      return <LedgerPage />;
    case 'access':
      return <AccessPage />;
    case 'quarantine':
      return <QuarantinePage />;
    case '':
      return <Loading />;
    default:
      return <UnknownPage />;
  }
}

function UnknownPage() {
  const { t } = useTranslation();
  return (
    <>
      <Empty text={t('problem.notFoundPage')} />
      <button type="button" className="button" onClick={() => go('')}>
        {t('problem.toStart')}
      </button>
    </>
  );
}
