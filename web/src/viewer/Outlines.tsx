import type { OpenedView } from '../api/types';
import { outlinePath, svgMatrix } from './geometry';
import type { Affine } from './geometry';

interface Props {
  outlines: OpenedView['outlines'];
  affine: Affine;
}

/** Contours of the granted regions, laid on the film by its own pixel-to-canvas map. */
export function Outlines({ outlines, affine }: Props) {
  return (
    <svg className="outlines" aria-hidden="true">
      <g transform={svgMatrix(affine)}>
        {Object.entries(outlines).map(([region, polylines]) => (
          <path key={region} data-region={region} d={outlinePath(polylines)} />
        ))}
      </g>
    </svg>
  );
}
