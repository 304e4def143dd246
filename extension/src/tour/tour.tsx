import type { TranslationBundle } from '@jupyterlab/translation';
import { ReactWidget } from '@jupyterlab/ui-components';
import type { Message } from '@lumino/messaging';
import { Widget } from '@lumino/widgets';
import * as React from 'react';
import { describeError } from '../ui/error-notice';
import { placeCard, type IBox } from './place-card';
import type { ITourStep } from './tour-steps';
import { visibleBox } from './visible-box';

/** Lights one thing after another, with a card beside it; what is lit can be used meanwhile. */
export class Tour extends ReactWidget {
  constructor(
    private readonly _steps: readonly ITourStep[],
    private readonly _trans: TranslationBundle
  ) {
    super();
    this.id = 'labscale-tour';
    this.addClass('jp-Labscale-Tour');
  }

  /** Shows it over everything else. */
  open(): void {
    this._before = document.activeElement;
    Widget.attach(this, document.body);
  }

  protected render(): JSX.Element {
    return <TourView steps={this._steps} trans={this._trans} onClose={() => this.close()} />;
  }

  protected override onCloseRequest(msg: Message): void {
    super.onCloseRequest(msg);
    this.dispose();
    if (this._before instanceof HTMLElement && this._before.isConnected) this._before.focus();
  }

  private _before: Element | null = null;
}

interface ITourViewProps {
  steps: readonly ITourStep[];
  trans: TranslationBundle;
  onClose: () => void;
}

function TourView(props: ITourViewProps): JSX.Element | null {
  const { steps, trans, onClose } = props;
  const [at, setAt] = React.useState(0);
  const [box, setBox] = React.useState<IBox | null>(null);
  const [size, setSize] = React.useState({ width: 340, height: 160 });
  const [offered, setOffered] = React.useState(false);
  const [busy, setBusy] = React.useState(false);
  const [failure, setFailure] = React.useState<string | null>(null);
  const card = React.useRef<HTMLDivElement>(null);
  const next = React.useRef<HTMLButtonElement>(null);
  const step = steps[at];

  React.useEffect(() => {
    let gone = false;
    setFailure(null);
    setOffered(step?.action !== undefined && step.action.wanted === undefined);
    void step?.action?.wanted?.().then(
      (wanted) => {
        if (!gone) setOffered(wanted);
      },
      () => undefined
    );
    void step?.show?.();
    next.current?.focus();
    return () => {
      gone = true;
    };
  }, [step]);

  // What is lit moves by scrolling, splitting and opening of panels, which tell nobody; looked at only while the tour is on.
  React.useEffect(() => {
    let frame = 0;
    let before = true;
    const look = () => {
      const done = step?.done?.() ?? false;
      if (done && !before) {
        setAt((one) => Math.min(one + 1, steps.length - 1));
        return;
      }
      before = done;
      const found = visibleBox(step?.target() ?? null);
      setBox((old) => (JSON.stringify(old) === JSON.stringify(found) ? old : found));
      frame = requestAnimationFrame(look);
    };
    look();
    return () => cancelAnimationFrame(frame);
  }, [step, steps]);

  React.useLayoutEffect(() => {
    const rect = card.current?.getBoundingClientRect();
    if (rect && (rect.width !== size.width || rect.height !== size.height)) {
      setSize({ width: rect.width, height: rect.height });
    }
    // What is in the card decides its size.
  }, [size, at, box, failure, offered]);

  // On the document: the focus may be in what is lit.
  React.useEffect(() => {
    const onKeyDown = (event: KeyboardEvent) => {
      // A dialog that is open takes its own Escape.
      if (event.key !== 'Escape' || document.querySelector('.jp-Dialog')) return;
      event.preventDefault();
      event.stopPropagation();
      onClose();
    };
    document.addEventListener('keydown', onKeyDown, true);
    return () => document.removeEventListener('keydown', onKeyDown, true);
  }, [onClose]);

  if (!step) return null;
  const place = placeCard(box, size, { width: window.innerWidth, height: window.innerHeight });
  const act = async () => {
    if (!step.action) return;
    setBusy(true);
    setFailure(null);
    try {
      await step.action.run();
      if (step.action.goesOn) setAt(at + 1);
    } catch (error) {
      const { why, mend } = describeError(error, trans);
      setFailure([why, mend ?? ''].join(' ').trim());
    }
    setBusy(false);
  };
  const last = at === steps.length - 1;
  return (
    <>
      {box && (
        <div
          className="jp-Labscale-Tour-light"
          style={{ left: box.left - 4, top: box.top - 4, width: box.width + 8, height: box.height + 8 }}
        />
      )}
      <div
        ref={card}
        className="jp-Labscale-Tour-card"
        role="dialog"
        aria-labelledby="labscale-tour-title"
        aria-describedby="labscale-tour-text"
        style={place}
      >
        <div className="jp-Labscale-Tour-count">{trans.__('%1 of %2', at + 1, steps.length)}</div>
        <h3 id="labscale-tour-title">{step.title}</h3>
        <p id="labscale-tour-text">{strong(step.text)}</p>
        {!box && step.missing !== undefined && <p className="jp-Labscale-dim">{step.missing}</p>}
        {failure !== null && (
          <p className="jp-Labscale-Problem" role="alert">
            {failure}
          </p>
        )}
        <div className="jp-Labscale-Tour-buttons">
          <button type="button" className="jp-Labscale-Button jp-mod-minimal" onClick={onClose}>
            {trans.__('Close')}
          </button>
          <span className="jp-Labscale-grow" />
          {step.action && offered && (
            <button type="button" className="jp-Labscale-Button" disabled={busy} onClick={() => void act()}>
              {step.action.label}
            </button>
          )}
          {at > 0 && (
            <button type="button" className="jp-Labscale-Button" onClick={() => setAt(at - 1)}>
              {trans.__('Back')}
            </button>
          )}
          <button
            ref={next}
            type="button"
            className="jp-Labscale-Button jp-mod-accept"
            onClick={() => (last ? onClose() : setAt(at + 1))}
          >
            {last ? trans.__('Done') : trans.__('Next')}
          </button>
        </div>
      </div>
    </>
  );
}

function strong(text: string): React.ReactNode {
  return text.split('**').map((part, index) => (index % 2 === 1 ? <strong key={index}>{part}</strong> : part));
}
