import type { ReasonText } from './types';

/** A failed request, told as the API's `Problem`: what is wrong and what to do. */
export class Problem extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    message: string,
    readonly remedy = '',
    readonly reasons: ReasonText[] = [],
  ) {
    super(message);
  }

  get refused(): boolean {
    return this.status === 403;
  }
}

/** Reads a Problem from an answer's text; anything else becomes a Problem named by its status. */
export function problemFrom(status: number, body: string): Problem {
  try {
    const value: unknown = JSON.parse(body);
    if (isProblem(value)) {
      return new Problem(status, value.code, value.message, value.remedy, value.reasons);
    }
  } catch {
    // Not JSON: a proxy or a crash answered instead of the API.
  }
  return new Problem(status, status ? `http-${status}` : 'unreachable', '');
}

function isProblem(
  value: unknown,
): value is { code: string; message: string; remedy?: string; reasons?: ReasonText[] } {
  return (
    typeof value === 'object' &&
    value !== null &&
    typeof (value as { code?: unknown }).code === 'string' &&
    typeof (value as { message?: unknown }).message === 'string'
  );
}
