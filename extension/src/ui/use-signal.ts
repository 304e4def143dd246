import type { ISignal } from '@lumino/signaling';
import * as React from 'react';

/** Draws the component anew whenever the signal is emitted; at most once a frame. */
export function useSignal(signal: ISignal<unknown, unknown>): void {
  const [, draw] = React.useReducer((count: number) => count + 1, 0);
  React.useEffect(() => {
    let frame = 0;
    let again = false;
    // At once, so that a ticked box does not jump back for a moment; then what comes in the same frame together.
    const later = () => {
      if (frame !== 0) {
        again = true;
        return;
      }
      draw();
      frame = requestAnimationFrame(() => {
        frame = 0;
        if (!again) return;
        again = false;
        later();
      });
    };
    signal.connect(later);
    // What was emitted between the first drawing and this effect is not to be missed.
    later();
    return () => {
      cancelAnimationFrame(frame);
      signal.disconnect(later);
    };
  }, [signal]);
}
