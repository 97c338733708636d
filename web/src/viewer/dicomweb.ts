import { problemFrom, Problem } from '../api/problem';
import type { OpenedView } from '../api/types';

/** One DICOM JSON attribute (PS3.18 F.2). */
interface Attribute {
  vr: string;
  Value?: unknown[];
}
export type DicomJson = Record<string, Attribute | undefined>;

export function instanceUrl(
  view: Pick<OpenedView, 'study_instance' | 'series_instance' | 'sop_instance'>,
): string {
  return `/dicom-web/studies/${view.study_instance}/series/${view.series_instance}/instances/${view.sop_instance}`;
}

export async function fetchMetadata(instance: string, signal: AbortSignal): Promise<DicomJson> {
  let answer: Response;
  try {
    answer = await fetch(`${instance}/metadata`, {
      headers: { Accept: 'application/dicom+json' },
      credentials: 'same-origin',
      cache: 'no-store',
      signal,
    });
  } catch (error) {
    if (signal.aborted) throw error;
    throw new Problem(0, 'unreachable', '');
  }
  if (!answer.ok) throw problemFrom(answer.status, await answer.text());
  const [metadata] = (await answer.json()) as DicomJson[];
  if (!metadata) throw new Problem(404, 'not-found', 'the film has no metadata');
  return displayable(metadata);
}

/** Takes out what the renderer is known to misread; the pixels stay as they are served. */
export function displayable(metadata: DicomJson): DicomJson {
  const result = { ...metadata };
  delete result['00281056']; // VOI LUT Function
  const spacing = result['00280030']?.Value; // Pixel Spacing
  if (spacing && !spacing.every((value) => Number(value) > 0)) delete result['00280030'];
  return result;
}
