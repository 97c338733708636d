import { useEffect, useRef } from 'react';
import type { DragTool } from './Film';

export interface ViewerActions {
  choose: (tool: DragTool) => void;
  invert: () => void;
  toggleOutlines: () => void;
  reset: () => void;
  scale: (factor: number) => void;
  actualSize: () => void;
  move: (dx: number, dy: number) => void;
}

const STEP = 24;

/** What a key does in the viewer; undefined for keys that are not the viewer's. */
export function keyAction(key: string, actions: ViewerActions): (() => void) | undefined {
  const keys: Record<string, () => void> = {
    i: actions.invert,
    r: actions.reset,
    v: actions.toggleOutlines,
    w: () => actions.choose('window'),
    z: () => actions.choose('zoom'),
    p: () => actions.choose('pan'),
    '1': actions.actualSize,
    '+': () => actions.scale(1.2),
    '=': () => actions.scale(1.2),
    '-': () => actions.scale(1 / 1.2),
    arrowleft: () => actions.move(STEP, 0),
    arrowright: () => actions.move(-STEP, 0),
    arrowup: () => actions.move(0, STEP),
    arrowdown: () => actions.move(0, -STEP),
  };
  return keys[key.toLowerCase()];
}

export function useViewerKeys(actions: ViewerActions): void {
  const current = useRef(actions);
  useEffect(() => {
    current.current = actions;
  });
  useEffect(() => {
    const press = (event: KeyboardEvent) => {
      // The viewport would cancel every key it hears, Tab included, and so trap the focus.
      if (event.target instanceof HTMLElement && event.target.closest('.film-canvas')) {
        event.stopPropagation();
      }
      const typing = event.target instanceof HTMLElement && event.target.closest('input, textarea');
      if (typing || event.ctrlKey || event.metaKey || event.altKey) return;
      // The panel scrolls with the arrows while it has the focus.
      const scrolling = event.key.startsWith('Arrow') && document.activeElement?.closest('.panel');
      const action = scrolling ? undefined : keyAction(event.key, current.current);
      if (!action) return;
      event.preventDefault();
      action();
    };
    addEventListener('keydown', press, { capture: true });
    return () => removeEventListener('keydown', press, { capture: true });
  }, []);
}
