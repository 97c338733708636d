import { init as initCore, metaData } from '@cornerstonejs/core';
import { init as initLoader } from '@cornerstonejs/dicom-image-loader';
import {
  addTool,
  init as initTools,
  PanTool,
  WindowLevelTool,
  ZoomTool,
} from '@cornerstonejs/tools';
import { problemFrom } from '../api/problem';
import type { Problem } from '../api/problem';

/** What the loader's last failed request said; its promise rejects with less. */
export interface LoadFailure {
  problem: Problem | null;
}
export const lastFailure: LoadFailure = { problem: null };

let ready: Promise<void> | null = null;

/** Starts the core, the WADO-RS loader and the tools, once for the page. */
export function startCornerstone(): Promise<void> {
  ready ??= start();
  return ready;
}

async function start(): Promise<void> {
  await initCore();
  initLoader({
    maxWebWorkers: 1,
    beforeSend: (xhr: XMLHttpRequest) => {
      xhr.withCredentials = true;
      return {};
    },
    errorInterceptor: (error: { request?: XMLHttpRequest }) => {
      lastFailure.problem = problemOf(error.request);
    },
  } as Parameters<typeof initLoader>[0]);
  await initTools();
  [WindowLevelTool, PanTool, ZoomTool].forEach((tool) => addTool(tool));
  metaData.addProvider(linearVoi, 20_000);
}

function problemOf(xhr: XMLHttpRequest | undefined): Problem {
  const body = xhr?.response;
  const text = body instanceof ArrayBuffer ? new TextDecoder().decode(body) : '';
  return problemFrom(xhr?.status ?? 0, text);
}

let asking = false;

/** Drops the VOI LUT Function: the renderer misreads the attribute, LINEAR included, and
 * shows white. The server serves only linear windows (PS3.3 C.11.2.1.2). */
function linearVoi(type: string, imageId: unknown): unknown {
  if (type !== 'voiLutModule' || asking) return undefined;
  asking = true;
  try {
    const found = metaData.get(type, imageId as string) as object | undefined;
    return found ? { ...found, voiLUTFunction: undefined, voiLutFunction: undefined } : undefined;
  } finally {
    asking = false;
  }
}
