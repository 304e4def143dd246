import { problemCodes, type Problem, type ProblemCode } from '@labscale/schema';

/** A problem that the caller is told of: what it was, the field at fault, and the mend. */
export class ProblemError extends Error {
  constructor(
    readonly code: ProblemCode,
    readonly detail: string,
    readonly more: { field?: string; mend?: string; cause?: unknown } = {}
  ) {
    super(detail, { cause: more.cause });
    this.name = 'ProblemError';
  }

  get status(): number {
    return problemCodes[this.code].status;
  }

  toProblem(requestId?: string): Problem {
    return {
      type: `urn:labscale:problem:${this.code.toLowerCase().replaceAll('_', '-')}`,
      code: this.code,
      title: problemCodes[this.code].title,
      status: this.status,
      detail: this.detail,
      ...(this.more.field === undefined ? {} : { field: this.more.field }),
      ...(this.more.mend === undefined ? {} : { mend: this.more.mend }),
      ...(requestId === undefined ? {} : { requestId })
    };
  }
}

/** The one answer for what does not exist and for what is not yours to see. */
export function notFound(id: string): ProblemError {
  return new ProblemError('NOT_FOUND', `There is no "${id}" that you may see.`);
}
