import { useEffect, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { serverNow } from '../api/clock';
import type { Case } from '../api/types';
import { span } from './format';

/** How far a case's clock has run: `share` of its two hours, what is left, and how it stands. */
export function clockOf(item: Pick<Case, 'opened_at' | 'due_at' | 'closed_at'>, now: number) {
  const [opened, due] = [Date.parse(item.opened_at), Date.parse(item.due_at)];
  const at = item.closed_at ? Date.parse(item.closed_at) : now;
  const share = Math.min(1, Math.max(0, (at - opened) / (due - opened)));
  const state: 'closed' | 'over' | 'near' | 'running' = item.closed_at
    ? 'closed'
    : at > due
      ? 'over'
      : share > 0.75
        ? 'near'
        : 'running';
  return { share, left: due - at, taken: at - opened, state };
}

export function useNow(everyMs = 1000): number {
  const [now, setNow] = useState(serverNow);
  useEffect(() => {
    const timer = setInterval(() => setNow(serverNow()), everyMs);
    return () => clearInterval(timer);
  }, [everyMs]);
  return now;
}

/** The two-hour clock as a ring with the time that is left in words. */
export function CaseClock({ item, size = 112 }: { item: Case; size?: number }) {
  const { t } = useTranslation();
  const clock = clockOf(item, useNow());
  const radius = 46;
  const around = 2 * Math.PI * radius;
  const label =
    clock.state === 'closed'
      ? t('cases.isClosed')
      : t(clock.state === 'over' ? 'cases.over' : 'cases.remaining');
  return (
    <div className="clock" data-state={clock.state} style={{ width: size, height: size }}>
      <svg viewBox="0 0 108 108" aria-hidden="true">
        <circle className="clock-track" cx="54" cy="54" r={radius} />
        <circle
          className="clock-hand"
          cx="54"
          cy="54"
          r={radius}
          strokeDasharray={around}
          strokeDashoffset={around * clock.share}
          transform="rotate(-90 54 54)"
        />
      </svg>
      <div className="clock-face" role="timer" aria-label={t('cases.clock')}>
        <strong>{span(clock.state === 'closed' ? clock.taken : clock.left)}</strong>
        <small>{label}</small>
      </div>
    </div>
  );
}
