import type { Kernel } from '@jupyterlab/services';
import { describeExpression, readDescription, type IKernelDescription } from './kernel-description';

/** Why the values come from the text of the cell and not from a kernel; null where they come from the kernel. */
export type CaptureLack = 'no-kernel' | 'busy' | 'other-language' | 'failed' | null;

export interface IKernelCapture {
  lack: CaptureLack;
  /** What the kernel answered where it failed. */
  detail: string | null;
  description: IKernelDescription;
}

/** A kernel that took up something else in the same moment is not waited for longer than this. */
const patienceMs = 3_000;

/**
 * Asks the kernel for the present values of `names` and for what else could be kept, silently: no output, no count in
 * the history. A kernel that is busy is not waited for.
 */
export async function captureKernel(
  kernel: Kernel.IKernelConnection | null,
  language: string,
  names: readonly string[]
): Promise<IKernelCapture> {
  const without = (lack: CaptureLack, detail: string | null = null): IKernelCapture => ({
    lack,
    detail,
    description: readDescription(null)
  });
  if (kernel === null || kernel.connectionStatus !== 'connected') return without('no-kernel');
  if (language.toLowerCase() !== 'python') return without('other-language');
  if (kernel.status !== 'idle') return without(kernel.status === 'busy' ? 'busy' : 'no-kernel');

  const future = kernel.requestExecute({
    code: '',
    silent: true,
    store_history: false,
    allow_stdin: false,
    user_expressions: { labscale: describeExpression(names) }
  });
  let timer = 0;
  const late = new Promise<null>((resolve) => {
    timer = window.setTimeout(() => resolve(null), patienceMs);
  });
  try {
    const reply = await Promise.race([future.done, late]);
    if (reply === null) return without('busy');
    if (reply.content.status !== 'ok') return without('failed');
    const found = reply.content.user_expressions['labscale'] as IUserExpression | undefined;
    if (found?.status === 'ok' && found.data && 'application/json' in found.data) {
      return { lack: null, detail: null, description: readDescription(found.data['application/json']) };
    }
    return without('failed', found?.evalue ?? null);
  } finally {
    window.clearTimeout(timer);
    future.dispose();
  }
}

/** One entry of `user_expressions` in an execute reply (Jupyter messaging 5.3). */
interface IUserExpression {
  status: 'ok' | 'error';
  data?: Record<string, unknown>;
  evalue?: string;
}
