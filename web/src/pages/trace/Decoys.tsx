import type { TracedFilm } from '../../api/types';
import { useWords } from '../../ui/useWords';

const WIDTH = 520;
const HEIGHT = 150;
const BASE = HEIGHT - 24;
const [LOW, HIGH, BIN] = [-4, 8, 0.25];
/** Room of the axis that is to scale; what lies beyond stands after a break. */
const SPAN = WIDTH * 0.78;

/** How many decoys fall into each quarter from −4 to 8. */
export function bars(z: readonly number[]): number[] {
  const counts = Array.from({ length: (HIGH - LOW) / BIN }, () => 0);
  for (const value of z) {
    const place = Math.floor((value - LOW) / BIN);
    if (place >= 0 && place < counts.length) counts[place]! += 1;
  }
  return counts;
}

const at = (z: number) => ((z - LOW) / (HIGH - LOW)) * SPAN;

/** Where the decoys lie, where the threshold, and where the view. */
export function Decoys({
  decoys,
  threshold,
  z,
}: {
  decoys: NonNullable<TracedFilm['decoys']>;
  threshold: number;
  z: number;
}) {
  const { t } = useWords();
  const counts = bars(decoys.z);
  const top = Math.max(...counts, 1);
  const far = z > HIGH - 0.4;
  const mark = far ? WIDTH * 0.93 : at(z);
  return (
    <figure className="decoys">
      <svg
        viewBox={`0 0 ${WIDTH} ${HEIGHT}`}
        role="img"
        aria-label={t('trace.decoysLabel', {
          count: decoys.count,
          most: decoys.max.toFixed(2),
          threshold: threshold.toFixed(2),
          z: z.toFixed(2),
        })}
      >
        {counts.map((value, index) => (
          <rect
            key={index}
            className="decoys-bar"
            x={at(LOW + index * BIN)}
            width={(BIN / (HIGH - LOW)) * SPAN * 0.86}
            y={BASE - (value / top) * (BASE - 26)}
            height={(value / top) * (BASE - 26)}
          />
        ))}
        <line className="decoys-axis" x1="0" x2={far ? SPAN : WIDTH} y1={BASE} y2={BASE} />
        {far && (
          <>
            <path className="decoys-axis" d={`M${SPAN + 5} ${BASE + 5}l5 -10M${SPAN + 10} ${BASE + 5}l5 -10`} />
            <line className="decoys-axis" x1={SPAN + 19} x2={WIDTH} y1={BASE} y2={BASE} />
          </>
        )}
        {[-2, 0, 2, 4, 6].map((tick) => (
          <text key={tick} x={at(tick)} y={HEIGHT - 6} textAnchor="middle">
            {`${tick}`.replace('-', '−')}
          </text>
        ))}
        <line className="decoys-threshold" x1={at(threshold)} x2={at(threshold)} y1="16" y2={BASE} />
        <text x={at(threshold) - 6} y="24" textAnchor="end">
          {t('trace.threshold')} {threshold.toFixed(2)}
        </text>
        <line className="decoys-mark" x1={mark} x2={mark} y1="16" y2={BASE} />
        <text className="decoys-z" x={mark - 6} y="24" textAnchor="end">
          z = {z.toFixed(2)}
        </text>
      </svg>
      <figcaption className="muted">{t('trace.decoysHint', { count: decoys.count })}</figcaption>
    </figure>
  );
}
