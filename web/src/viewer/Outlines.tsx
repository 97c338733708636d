import type { Coded, OpenedView } from '../api/types';
import { outlinePath, svgMatrix } from './geometry';
import type { Affine } from './geometry';

interface Props {
  outlines: OpenedView['outlines'];
  /** Regions that are shown by their contour alone; theirs are dashed. */
  outlinedOnly: readonly Coded[];
  affine: Affine;
}

/** Contours of the regions, laid on the film by its own pixel-to-canvas map. */
export function Outlines({ outlines, outlinedOnly, affine }: Props) {
  const dashed = new Set(outlinedOnly.map(({ code }) => code));
  return (
    <svg className="outlines" aria-hidden="true">
      <g transform={svgMatrix(affine)}>
        {Object.entries(outlines).map(([region, polylines]) => (
          <path
            key={region}
            data-region={region}
            data-dashed={dashed.has(region)}
            d={outlinePath(polylines)}
          />
        ))}
      </g>
    </svg>
  );
}
