import { Dialog, ReactWidget } from '@jupyterlab/apputils';
import type { TranslationBundle } from '@jupyterlab/translation';
import { Signal } from '@lumino/signaling';
import * as React from 'react';
import { ErrorNotice } from './error-notice';

export interface IFormDialogOptions<T> {
  title: string;
  trans: TranslationBundle;
  /** Label of the button that does it; Enter presses it. */
  accept: string;
  /** The form; it keeps its state itself and gives it to `submit` through closures. */
  body: () => JSX.Element;
  /** What the button does. Throw to keep the dialog open and show why; a returned null keeps it open silently. */
  submit: () => Promise<T | null>;
  className?: string;
}

class FormBody extends ReactWidget {
  constructor(
    private readonly _body: () => JSX.Element,
    private readonly _trans: TranslationBundle
  ) {
    super();
    this.addClass('jp-Labscale-FormDialog');
  }
  error: unknown = null;
  getValue(): null {
    return null;
  }
  protected render(): JSX.Element {
    const Body = this._body;
    return (
      <>
        <Body />
        {this.error !== null && (
          // A long form scrolls: what is wrong must not stand below its edge.
          <div ref={(node) => node?.scrollIntoView({ block: 'nearest' })}>
            <ErrorNotice error={this.error} trans={this._trans} />
          </div>
        )}
      </>
    );
  }
}

/** A dialog that stays open until what its button does has worked, and shows why it did not. */
class FormDialog<T> extends Dialog<null> {
  constructor(
    private readonly _options: IFormDialogOptions<T>,
    private readonly _formBody: FormBody
  ) {
    super({
      title: _options.title,
      body: _formBody,
      buttons: [
        Dialog.cancelButton({ label: _options.trans.__('Cancel') }),
        Dialog.okButton({ label: _options.accept })
      ],
      defaultButton: 1,
      focusNodeSelector: '.jp-Labscale-FormDialog :is(input, select, textarea)',
      hasClose: true
    });
    this.addClass('jp-Labscale-Dialog');
    if (_options.className) this.addClass(_options.className);
  }

  value: T | null = null;

  override handleEvent(event: Event): void {
    // Lab's dialog takes Enter with any modifier; Shift+Enter is what runs a cell and must not send a form by habit.
    if (event instanceof KeyboardEvent && event.type === 'keydown' && event.key === 'Enter' && event.shiftKey) return;
    super.handleEvent(event);
  }

  override resolve(index?: number): void {
    if (index === 0) {
      super.resolve(index);
      return;
    }
    if (this._busy) return;
    this._setBusy(true);
    this._show(null);
    this._options.submit().then(
      (value) => {
        this._setBusy(false);
        if (value === null) return;
        this.value = value;
        super.resolve(1);
      },
      (error: unknown) => {
        this._setBusy(false);
        this._show(error);
      }
    );
  }

  private _show(error: unknown): void {
    this._formBody.error = error;
    this._formBody.update();
  }

  private _setBusy(busy: boolean): void {
    this._busy = busy;
    this.node.setAttribute('aria-busy', String(busy));
    const button = this.node.querySelector<HTMLButtonElement>('.jp-Dialog-button.jp-mod-accept');
    if (button) button.disabled = busy;
  }

  private _busy = false;
}

/** Shows a form in a dialog; gives what `submit` gave, or null where it was cancelled. */
export async function showFormDialog<T>(options: IFormDialogOptions<T>): Promise<T | null> {
  const body = new FormBody(options.body, options.trans);
  const dialog = new FormDialog(options, body);
  await dialog.launch();
  Signal.clearData(dialog);
  return dialog.value;
}

export interface IFieldProps {
  id: string;
  label: string;
  /** One short sentence below the field. */
  help?: React.ReactNode;
  problem?: string | null;
  children: React.ReactNode;
}

/** A labelled row of a form. */
export function Field(props: IFieldProps): JSX.Element {
  return (
    <div className="jp-Labscale-Field">
      <label htmlFor={props.id}>{props.label}</label>
      {props.children}
      {props.help !== undefined && <div className="jp-Labscale-Field-help">{props.help}</div>}
      {props.problem && (
        <div className="jp-Labscale-Problem" role="alert">
          {props.problem}
        </div>
      )}
    </div>
  );
}
