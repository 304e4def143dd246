import { ReactWidget } from '@jupyterlab/ui-components';
import type { Message } from '@lumino/messaging';
import { Signal, type ISignal } from '@lumino/signaling';

/**
 * A React widget that is empty until it is visible for the first time, and says when it becomes visible or hidden: a
 * panel that nobody looks at asks the server for nothing.
 */
export abstract class LazyReactWidget extends ReactWidget {
  /** Emitted with the present visibility when it changed. */
  get visibilityChanged(): ISignal<this, boolean> {
    return this._visibilityChanged;
  }

  protected abstract renderVisible(): JSX.Element;

  protected render(): JSX.Element | null {
    return this._seen ? this.renderVisible() : null;
  }

  protected override onAfterAttach(msg: Message): void {
    super.onAfterAttach(msg);
    this._settle();
  }
  protected override onAfterShow(msg: Message): void {
    super.onAfterShow(msg);
    this._settle();
  }
  protected override onBeforeHide(msg: Message): void {
    super.onBeforeHide(msg);
    this._set(false);
  }
  protected override onBeforeDetach(msg: Message): void {
    this._set(false);
    super.onBeforeDetach(msg);
  }

  private _settle(): void {
    this._set(this.isVisible);
  }

  private _set(visible: boolean): void {
    if (visible === this._visible) return;
    this._visible = visible;
    if (visible && !this._seen) {
      this._seen = true;
      this.update();
    }
    this._visibilityChanged.emit(visible);
  }

  private _seen = false;
  private _visible = false;
  private readonly _visibilityChanged = new Signal<this, boolean>(this);
}
