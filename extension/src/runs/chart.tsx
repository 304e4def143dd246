import type { IRenderMimeRegistry } from '@jupyterlab/rendermime';
import type { IRenderMime } from '@jupyterlab/rendermime-interfaces';
import type { TranslationBundle } from '@jupyterlab/translation';
import type { JSONObject } from '@lumino/coreutils';
import type { ISignal } from '@lumino/signaling';
import { Widget } from '@lumino/widgets';
import * as React from 'react';
import type { IChartTheme, VegaLiteSpec } from './run-charts';

/** What Lab 4.6's own renderer takes (vega-lite 5.6 within it). */
const mimeType = 'application/vnd.vegalite.v5+json';

export interface IChartProps {
  rendermime: IRenderMimeRegistry;
  trans: TranslationBundle;
  /** Made anew for each theme. */
  spec: (theme: IChartTheme) => VegaLiteSpec;
  /** When this changes the chart is drawn anew. */
  mark: unknown;
  label: string;
  height: number;
  themeChanged: ISignal<unknown, unknown> | null;
}

/** A vega-lite chart, drawn by Lab's own renderer. */
export function Chart(props: IChartProps): JSX.Element {
  const { rendermime, trans, themeChanged, mark, label, height } = props;
  const host = React.useRef<HTMLDivElement>(null);
  const [width, setWidth] = React.useState(0);
  const [theme, setTheme] = React.useState(0);
  const [failed, setFailed] = React.useState(false);
  const shown = React.useRef<IRenderMime.IRenderer | null>(null);
  // Another function at every drawing; whether what it makes is another is said by `mark`.
  const makeSpec = React.useRef(props.spec);
  makeSpec.current = props.spec;

  React.useLayoutEffect(() => {
    const element = host.current;
    if (!element) return;
    let timer = 0;
    const observer = new ResizeObserver(() => {
      window.clearTimeout(timer);
      timer = window.setTimeout(() => setWidth(Math.floor(element.clientWidth)), shown.current === null ? 0 : 150);
    });
    observer.observe(element);
    return () => {
      window.clearTimeout(timer);
      observer.disconnect();
      shown.current?.dispose();
      shown.current = null;
    };
  }, []);
  React.useEffect(() => {
    const changed = () => setTheme((count) => count + 1);
    themeChanged?.connect(changed);
    return () => void themeChanged?.disconnect(changed);
  }, [themeChanged]);

  React.useEffect(() => {
    const element = host.current;
    if (!element || width === 0) return;
    if (!rendermime.preferredMimeType({ [mimeType]: {} }, 'any')) {
      setFailed(true);
      return;
    }
    let wanted = true;
    const renderer = rendermime.createRenderer(mimeType);
    // Drawn out of sight and then put in place of the older one, so that a live chart does not flicker.
    renderer.node.style.visibility = 'hidden';
    renderer.node.style.position = 'absolute';
    Widget.attach(renderer, element);
    const spec = { ...makeSpec.current(readTheme(element)), width } as JSONObject;
    const model = rendermime.createModel({
      // With a picture in the model Lab's renderer does not make one of every chart that it draws.
      data: { [mimeType]: spec, 'image/png': 'none' },
      metadata: { [mimeType]: { embed_options: { actions: false } } }
    });
    renderer.renderModel(model).then(
      () => {
        if (!wanted) return;
        shown.current?.dispose();
        shown.current = renderer;
        renderer.node.style.visibility = '';
        renderer.node.style.position = '';
        setFailed(false);
      },
      () => {
        renderer.dispose();
        if (wanted) setFailed(true);
      }
    );
    return () => {
      wanted = false;
      if (shown.current !== renderer && !renderer.isDisposed) renderer.dispose();
    };
  }, [rendermime, width, theme, mark]);

  return (
    <div ref={host} className="jp-Labscale-Chart" role="img" aria-label={label} style={{ minHeight: height }}>
      {failed && <div className="jp-Labscale-Field-help">{trans.__('This chart could not be drawn.')}</div>}
    </div>
  );
}

export function readTheme(node: Element): IChartTheme {
  const style = getComputedStyle(node);
  const value = (name: string) => style.getPropertyValue(name).trim();
  return {
    text: value('--jp-ui-font-color1'),
    faint: value('--jp-border-color1'),
    background: value('--jp-layout-color1'),
    font: value('--jp-ui-font-family'),
    mark: value('--jp-brand-color1'),
    series: [
      '--jp-brand-color1',
      '--jp-warn-color1',
      '--jp-success-color1',
      '--jp-error-color1',
      '--jp-info-color1',
      '--jp-accent-color1'
    ]
      .map(value)
      .filter((color, at, all) => color !== '' && all.indexOf(color) === at)
  };
}
