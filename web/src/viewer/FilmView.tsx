import { useCallback, useEffect, useRef, useState } from 'react';
import type { OpenedView, WorkItem } from '../api/types';
import { useWords } from '../ui/useWords';
import { fetchMetadata, instanceUrl } from './dicomweb';
import { Film } from './Film';
import type { Display, DragTool } from './Film';
import { Outlines } from './Outlines';
import { outlinedOnly } from './regions';
import { Toolbar } from './Toolbar';
import { useViewerKeys } from './useViewerKeys';
import { ViewPanel } from './ViewPanel';
import { Refusal } from './ViewerPage';

interface Props {
  view: OpenedView;
  item: WorkItem | undefined;
}

/** Tools, film and panel side by side: words about the film never lie on it. */
export function FilmView({ view, item }: Props) {
  const { t, names } = useWords();
  const [attempt, setAttempt] = useState(0);
  const { element, film, display, share, error } = useFilm(view, attempt);
  const [tool, setTool] = useState<DragTool>('window');
  const [outlines, setOutlines] = useState(true);

  const choose = useCallback(
    (next: DragTool) => {
      setTool(next);
      film.current?.use(next);
    },
    [film],
  );
  const reset = useCallback(() => {
    choose('window');
    film.current?.reset();
  }, [choose, film]);
  const actions = {
    choose,
    reset,
    invert: () => film.current?.invert(),
    toggleOutlines: () => setOutlines((on) => !on),
    scale: (factor: number) => film.current?.scale(factor),
    actualSize: () => film.current?.actualSize(),
    move: (dx: number, dy: number) => film.current?.move(dx, dy),
  };
  useViewerKeys(actions);
  const shown = display !== null && !error;

  return (
    <div className="viewer-body">
      <Toolbar tool={tool} outlines={outlines} inverted={display?.invert ?? false} {...actions} />
      <main className="film" data-ready={shown} aria-busy={!shown && !error}>
        <div
          ref={element}
          className="film-canvas"
          role="img"
          tabIndex={0}
          aria-label={t('viewer.canvas', { regions: names(view.regions) })}
          onContextMenu={(event) => event.preventDefault()}
        />
        {shown && outlines && (
          <Outlines
            outlines={view.outlines}
            outlinedOnly={outlinedOnly(view)}
            affine={display.affine}
          />
        )}
        {!shown && !error && <FilmProgress share={share} />}
        {error !== null && (
          <div className="viewer-message">
            <Refusal error={error} onRetry={() => setAttempt((count) => count + 1)} />
          </div>
        )}
      </main>
      <ViewPanel view={view} item={item} display={display} />
    </div>
  );
}

function FilmProgress({ share }: { share: number }) {
  const { t } = useWords();
  const percent = Math.round(share * 100);
  return (
    <div className="film-progress">
      <span
        className="meter"
        role="progressbar"
        aria-label={t('viewer.loading')}
        aria-valuenow={percent}
        aria-valuemin={0}
        aria-valuemax={100}
      >
        <span style={{ width: `${percent}%` }} />
      </span>
      <p>{share < 1 ? `${t('viewer.loading')} ${percent}%` : t('viewer.decoding')}</p>
    </div>
  );
}

function useFilm(view: OpenedView, attempt: number) {
  const element = useRef<HTMLDivElement>(null);
  const film = useRef<Film | null>(null);
  const [display, setDisplay] = useState<Display | null>(null);
  const [share, setShare] = useState(0);
  const [error, setError] = useState<unknown>(null);

  useEffect(() => {
    const abort = new AbortController();
    const current = new Film(element.current!, setDisplay);
    film.current = current;
    setDisplay(null);
    setError(null);
    setShare(0);
    const instance = instanceUrl(view);
    fetchMetadata(instance, abort.signal)
      .then((metadata) => current.show(instance, metadata, setShare))
      .catch((reason: unknown) => {
        if (!abort.signal.aborted) setError(reason);
      });
    const watcher = new ResizeObserver(() => current.resize());
    watcher.observe(element.current!);
    return () => {
      abort.abort();
      watcher.disconnect();
      current.destroy();
      film.current = null;
    };
  }, [view, attempt]);

  return { element, film, display, share, error };
}
