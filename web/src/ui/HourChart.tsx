import { useTranslation } from 'react-i18next';

const WIDTH = 736;
const HEIGHT = 168;
const FLOOR = 144;

/** A round number at or above the highest bar, so that the axis reads easily. */
export function ceiling(highest: number): number {
  if (highest <= 4) return 4;
  const power = 10 ** Math.floor(Math.log10(highest));
  return [1, 2, 4, 5, 8, 10].map((step) => step * power).find((top) => top >= highest) ?? highest;
}

/** Twenty-four bars, oldest first; `end` is the hour of the last bar. */
export function HourChart({ counts, end }: { counts: readonly number[]; end: Date }) {
  const { t } = useTranslation();
  const top = ceiling(Math.max(0, ...counts));
  const slot = (WIDTH - 52) / Math.max(counts.length, 1);
  const hourOf = (index: number) => {
    const at = new Date(end.getTime() - (counts.length - 1 - index) * 3600_000);
    return `${String(at.getHours()).padStart(2, '0')}:00`;
  };
  return (
    <figure className="chart">
      <svg viewBox={`0 0 ${WIDTH} ${HEIGHT}`} aria-hidden="true">
        {[0, 0.5, 1].map((share) => (
          <g key={share}>
            <line className="chart-grid" x1="36" x2={WIDTH - 16} y1={y(share)} y2={y(share)} />
            <text className="chart-text" x="28" y={y(share) + 4} textAnchor="end">
              {top * share}
            </text>
          </g>
        ))}
        {counts.map((count, index) => (
          <g key={index}>
            <rect
              className="chart-bar"
              data-last={index === counts.length - 1}
              x={36 + index * slot + slot * 0.18}
              y={y(count / top)}
              width={slot * 0.64}
              height={Math.max(FLOOR - y(count / top), count ? 2 : 0)}
              rx="2.5"
            >
              <title>{t('overview.chartBar', { hour: hourOf(index), count })}</title>
            </rect>
            {index % 4 === 3 && (
              <text className="chart-text" x={36 + (index + 0.5) * slot} y={162} textAnchor="middle">
                {hourOf(index)}
              </text>
            )}
          </g>
        ))}
      </svg>
      <table className="visually-hidden">
        <caption>{t('overview.chart')}</caption>
        <thead>
          <tr>
            <th scope="col">{t('overview.hour')}</th>
            <th scope="col">{t('overview.count')}</th>
          </tr>
        </thead>
        <tbody>
          {counts.map((count, index) => (
            <tr key={index}>
              <th scope="row">{hourOf(index)}</th>
              <td>{count}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </figure>
  );
}

const y = (share: number) => FLOOR - share * (FLOOR - 12);
